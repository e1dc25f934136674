import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import type { Caller } from '../../platform/access.ts'
import { terminal } from '../../platform/audit.ts'
import { execute } from '../../platform/execute.ts'
import { makeModels } from '../../platform/models.ts'
import { testServices } from '../../platform/services.fixture.ts'
import { type TestUpstreams, testUpstreams } from '../../platform/upstreams/upstreams.fixture.ts'
import { fits } from '../../wire/check.ts'
import { routeOperations } from './index.ts'

const header = 'Bearer 0123456789abcdefghijklmnop'
const base_url = 'http://127.0.0.1:9/v1'

let services: Awaited<ReturnType<typeof testServices>>
let reaching: TestUpstreams
let operator: Caller
before(async () => {
  services = await testServices(makeModels([], {}))
  reaching = await testUpstreams(services, {
    upstreams: { fixed: { base_url } },
    routes: {
      file: { filed: { upstream: 'fixed' } },
      taken: model => (model === 'filed' ? 'parlance.yaml has a model of that name' : undefined),
      found: model => (model === 'pulled' ? 'a model of that name was pulled' : undefined),
      aliasOf: model => (model === 'led' ? 'gpt-4' : undefined),
    },
  })
  operator = await services.keys.operator()
  const acting = { ...services, caller: operator, from: terminal }
  for (const name of ['east', 'west']) await reaching.upstreams.create(acting, name, { base_url })
})
after(async () => {
  reaching?.close()
  await services?.close()
})

interface Asked {
  body?: object
  query?: Record<string, string | number>
  caller?: Caller
}

// biome-ignore lint/suspicious/noExplicitAny: replies are held against their schemas, and read here as tests like
async function does(verb: string, model?: string, { body, query = {}, caller = operator }: Asked = {}): Promise<any> {
  const operation = routeOperations.find(one => one.id === `operator.routes.${verb}`)!
  const { signal } = new AbortController()
  const params: Record<string, string> = model === undefined ? {} : { model }
  const asked = { body, params, query, caller, from: terminal, bytes: 0, signal, wants: 'values' as const }
  const { upstreams, routes } = reaching
  const reply = await execute(operation, asked, { ...services, upstreams, routes })
  assert.ok(reply.kind === 'json' && fits(operation.reply, reply.value), JSON.stringify(reply))
  assert.ok(!JSON.stringify(reply.value).includes(header), 'a secret is shown')
  return reply.value
}

const create = (model: string, more: object = { upstream: 'east' }) =>
  does('create', undefined, { body: { model, ...more } })
const refused = (status: number, code: string | null, param?: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code], [status, code], error.message)
  if (param !== undefined) assert.equal(error.param, param, error.message)
  return true
}
const names = () => reaching.routes.list().map(({ model }) => model)

test('only the operator may do this: not even an owner’s key of all scopes', async () => {
  const { secret } = await services.keys.create({ name: 'owner' })
  const caller = await services.keys.find(secret)
  for (const { id, method } of routeOperations)
    await assert.rejects(
      does(id.replace('operator.routes.', ''), 'filed', { caller, ...(method === 'POST' && { body: {} }) }),
      refused(403, 'command_only'),
      id,
    )
})

test('a route of one upstream is added, shown, listed, changed and removed', async () => {
  const made = await create('team/best', { upstream: 'east', name: 'gpt-4o', price: { input: 1, output: 2 } })
  assert.deepEqual(made, {
    object: 'parlance.route',
    model: 'team/best',
    source: 'store',
    upstream: 'east',
    name: 'gpt-4o',
    price: { input: 1, output: 2 },
    created_at: Math.floor(services.clock.now() / 1000),
    problem: null,
  })
  assert.deepEqual(await does('retrieve', 'team/best'), made)
  const { data } = await does('list')
  assert.deepEqual(
    data.map(({ model, source }: typeof made) => [model, source]),
    [
      ['filed', 'file'],
      ['team/best', 'store'],
    ],
  )
  const changed = await does('update', 'team/best', { body: { upstream: 'west', name: null } })
  assert.deepEqual([changed.upstream, changed.name, changed.price], ['west', undefined, { input: 1, output: 2 }])
  assert.deepEqual(await does('delete', 'team/best'), {
    object: 'parlance.route.deleted',
    model: 'team/best',
    deleted: true,
  })
  await assert.rejects(does('retrieve', 'team/best'), refused(404, null))
})

test('a route of several upstreams keeps the headers of its targets to itself', async () => {
  const targets = [{ upstream: 'east', headers: { 'x-team-key': header } }, { upstream: 'west' }]
  const made = await create('team', { targets, policy: 'priority' })
  assert.deepEqual(made.targets, [{ upstream: 'east', headers: { 'x-team-key': '…' } }, { upstream: 'west' }])
  const { settings } = reaching.routes.get('team')
  assert.deepEqual('targets' in settings && settings.targets, targets)
  const rows = await services.store.read.selectFrom('routes').selectAll().execute()
  const log = await services.store.read.selectFrom('audit_log').selectAll().execute()
  assert.ok(!JSON.stringify([rows, log]).includes(header))
  // The other form takes the place of this one.
  const single = await does('update', 'team', { body: { targets: null, policy: null, upstream: 'west' } })
  assert.deepEqual([single.targets, single.upstream], [undefined, 'west'])
  await does('delete', 'team')
})

for (const [name, body, status, code, param] of [
  ['without a model', { upstream: 'east' }, 400, 'missing_required_parameter', 'model'],
  ['without an upstream', { model: 'x' }, 400, 'missing_required_parameter', 'upstream'],
  [
    'with both forms',
    { model: 'x', upstream: 'east', targets: [{ upstream: 'east' }] },
    400,
    'invalid_value',
    'upstream',
  ],
  ['with an upstream that is not there', { model: 'x', upstream: 'north' }, 400, 'invalid_value', 'upstream'],
  [
    'with a target that is not there',
    { model: 'x', targets: [{ upstream: 'east' }, { upstream: 'north' }] },
    400,
    'invalid_value',
    'targets[1].upstream',
  ],
  ['with a space in its model', { model: 'a b', upstream: 'east' }, 400, 'invalid_value', 'model'],
  ['with a price of nothing', { model: 'x', upstream: 'east', price: {} }, 400, null, undefined],
  ['with a field that is not known', { model: 'x', upstream: 'east', to: 'y' }, 400, 'unknown_parameter', 'to'],
  ['with a name of the file', { model: 'filed', upstream: 'east' }, 409, 'name_in_use', 'model'],
  ['with the name of a model that was pulled', { model: 'pulled', upstream: 'east' }, 409, 'name_in_use', 'model'],
] as const)
  test(`a route ${name} is refused, and none is added`, async () => {
    await assert.rejects(does('create', undefined, { body }), (error: unknown) => {
      assert.ok(error instanceof Fault, String(error))
      assert.equal(error.status, status, error.message)
      if (code !== null) assert.equal(error.code, code, error.message)
      if (param !== undefined) assert.equal(error.param, param, error.message)
      return true
    })
    assert.deepEqual(names(), ['filed'])
  })

test('what is not there cannot be changed, and what the file says is changed in the file', async () => {
  for (const verb of ['retrieve', 'delete'] as const) await assert.rejects(does(verb, 'nobody'), refused(404, null))
  await assert.rejects(does('update', 'nobody', { body: {} }), refused(404, null))
  await assert.rejects(does('update', 'filed', { body: { upstream: 'east' } }), refused(409, 'set_by_file'))
  await assert.rejects(does('delete', 'filed'), refused(409, 'set_by_file'))
})

test('a name that is taken is refused with 409, and a change that is refused changes nothing', async () => {
  await create('team')
  await assert.rejects(create('team'), refused(409, 'name_in_use', 'model'))
  const before = reaching.routes.get('team')
  for (const body of [{ upstream: null }, { upstream: 'north' }, { price: { input: -1 } }, { model: 'other' }])
    await assert.rejects(
      does('update', 'team', { body }),
      (error: unknown) => error instanceof Fault && error.status === 400,
    )
  assert.equal(reaching.routes.get('team'), before)
  await does('delete', 'team')
})

test('a route that an alias of the file leads to is kept', async () => {
  await create('led')
  await assert.rejects(does('delete', 'led'), (error: unknown) => {
    assert.ok(refused(409, 'route_in_use')(error))
    return error instanceof Fault && error.message.includes('gpt-4')
  })
  await does('update', 'led', { body: { upstream: 'west' } })
})

test('of two changes at the same time one is made, and the other is told so', async () => {
  await create('team')
  const outcomes = await Promise.allSettled(['a', 'b'].map(name => does('update', 'team', { body: { name } })))
  const lost = outcomes.filter(outcome => outcome.status === 'rejected')
  assert.equal(lost.length, 1)
  assert.ok(refused(409, 'changed_meanwhile')(lost[0]?.reason))
  await does('delete', 'team')
})

test('an upstream that another process deletes at the same time takes no route with it', async () => {
  const other = await testUpstreams(services)
  try {
    const acting = { ...services, caller: operator, from: terminal }
    await other.upstreams.create(acting, 'south', { base_url })
    await reaching.upstreams.look()
    await other.upstreams.remove(acting, 'south')
    await assert.rejects(create('lost', { upstream: 'south' }), refused(400, null))
    assert.equal(reaching.routes.find('lost'), undefined)
    assert.deepEqual(
      await services.store.read.selectFrom('route_upstreams').select('model').where('upstream', '=', 'south').execute(),
      [],
    )
  } finally {
    other.close()
  }
})
