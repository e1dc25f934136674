import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { UpstreamConfig } from '../../engines/upstream/settings.ts'
import { Fault } from '../../lib/faults.ts'
import type { Caller } from '../../platform/access.ts'
import { terminal } from '../../platform/audit.ts'
import { execute } from '../../platform/execute.ts'
import { makeModels } from '../../platform/models.ts'
import { testServices } from '../../platform/services.fixture.ts'
import { type TestUpstreams, testUpstreams } from '../../platform/upstreams/upstreams.fixture.ts'
import { fits } from '../../wire/check.ts'
import { upstreamOperations } from './index.ts'

const key = 'sk-0123456789abcdefghijklmnop'
const base_url = 'http://127.0.0.1:9/v1'
const file: Record<string, UpstreamConfig> = { fixed: { base_url, api_key: key } }

let services: Awaited<ReturnType<typeof testServices>>
let reaching: TestUpstreams
let operator: Caller
before(async () => {
  services = await testServices(makeModels([], {}))
  reaching = await testUpstreams(services, { upstreams: file })
  operator = await services.keys.operator()
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
async function does(verb: string, upstream?: string, asking: Asked = {}): Promise<any> {
  const { body, query = {}, caller = operator } = asking
  const operation = upstreamOperations.find(one => one.id === `operator.upstreams.${verb}`)!
  const { signal } = new AbortController()
  const params: Record<string, string> = upstream === undefined ? {} : { upstream }
  const asked = { body, params, query, caller, from: terminal, bytes: 0, signal, wants: 'values' as const }
  const { upstreams, routes } = reaching
  const reply = await execute(operation, asked, { ...services, upstreams, routes })
  assert.ok(reply.kind === 'json' && fits(operation.reply, reply.value), JSON.stringify(reply))
  assert.ok(!JSON.stringify(reply.value).includes(key), 'a secret is shown')
  return reply.value
}

const create = (name: string, more: object = {}) => does('create', undefined, { body: { name, base_url, ...more } })
const refused = (status: number, code: string | null, param?: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code], [status, code], error.message)
  if (param !== undefined) assert.equal(error.param, param, error.message)
  assert.ok(!error.message.includes(key))
  return true
}

test('only the operator may do this: not even an owner’s key of all scopes', async () => {
  const { secret } = await services.keys.create({ name: 'owner' })
  const caller = await services.keys.find(secret)
  for (const { id, method } of upstreamOperations)
    await assert.rejects(
      does(id.replace('operator.upstreams.', ''), 'fixed', { caller, ...(method === 'POST' && { body: {} }) }),
      refused(403, 'command_only'),
      id,
    )
})

test('an upstream is added, shown, listed, changed and removed, and its secret is read by its engines alone', async () => {
  const made = await create('east', { api_key: key, expose: ['a', 'b'] })
  assert.deepEqual(made, {
    object: 'parlance.upstream',
    name: 'east',
    source: 'store',
    kind: 'openai-compatible',
    base_url,
    api_key: 'sk-…mnop',
    expose: ['a', 'b'],
    created_at: Math.floor(services.clock.now() / 1000),
    health: { state: 'unknown', checked_at: null, latency_ms: null, detail: null },
    models: null,
  })
  assert.equal(reaching.upstreams.get('east').settings.api_key, key)
  assert.deepEqual(await does('retrieve', 'east'), made)
  const { data } = await does('list')
  assert.deepEqual(
    data.map(({ name, source, created_at }: typeof made) => [name, source, created_at === null]),
    [
      ['fixed', 'file', true],
      ['east', 'store', false],
    ],
  )
  const changed = await does('update', 'east', { body: { expose: null, idle_timeout_ms: 5 } })
  assert.deepEqual([changed.expose, changed.idle_timeout_ms, changed.api_key], [undefined, 5, 'sk-…mnop'])
  assert.deepEqual(reaching.upstreams.get('east').settings, { base_url, api_key: key, idle_timeout_ms: 5 })
  const keyless = await does('update', 'east', { body: { api_key: null } })
  assert.equal(keyless.api_key, undefined)
  assert.deepEqual(await does('delete', 'east'), { object: 'parlance.upstream.deleted', name: 'east', deleted: true })
  await assert.rejects(does('retrieve', 'east'), refused(404, null))
})

test('what is written down holds no secret: neither rows nor the audit log', async () => {
  await create('west', { api_key: key })
  await does('update', 'west', { body: { api_key: `${key}-new` } })
  const { read } = services.store
  const rows = await read.selectFrom('upstreams').selectAll().execute()
  const log = await read.selectFrom('audit_log').selectAll().where('subject_id', '=', 'west').orderBy('id').execute()
  assert.deepEqual(log.map(({ type }) => type).sort(), ['upstream.created', 'upstream.updated'])
  assert.ok(!JSON.stringify([rows, log]).includes('0123456789abcdef'))
  assert.match(JSON.stringify(log), /sk-…mnop/)
  await does('delete', 'west')
})

test('a list is read in pages', async () => {
  for (const name of ['p1', 'p2', 'p3']) await create(name)
  const pages: string[][] = []
  for (let after: string | null = null, more = true; more; ) {
    const page = await does('list', undefined, { query: { limit: 2, ...(after !== null && { after }) } })
    pages.push(page.data.map(({ name }: { name: string }) => name))
    after = page.last_id
    more = page.has_more
  }
  assert.deepEqual(pages, [
    ['fixed', 'p1'],
    ['p2', 'p3'],
  ])
  for (const name of ['p1', 'p2', 'p3']) await does('delete', name)
})

for (const [name, body, status, code, param] of [
  ['without a name', { base_url }, 400, 'missing_required_parameter', 'name'],
  ['with a name of other characters', { name: 'a b', base_url }, 400, 'invalid_value', 'name'],
  ['with the name of one in the file', { name: 'fixed', base_url }, 409, 'name_in_use', 'name'],
  ['without an address', { name: 'x' }, 400, null, undefined],
  [
    'with credentials in its address',
    { name: 'x', base_url: 'http://a:b@127.0.0.1/v1' },
    400,
    'invalid_value',
    'base_url',
  ],
  ['with another protocol', { name: 'x', base_url: 'file:///etc/passwd' }, 400, 'invalid_value', 'base_url'],
  ['with a query', { name: 'x', base_url: 'http://127.0.0.1/v1?a=b' }, 400, 'invalid_value', 'base_url'],
  ['with a key that no header carries', { name: 'x', base_url, api_key: 'a\nb' }, 400, 'invalid_value', 'api_key'],
  ['with the shortened form of a key', { name: 'x', base_url, api_key: 'sk-…mnop' }, 400, 'invalid_value', 'api_key'],
  ['with a kind that is not known', { name: 'x', base_url, kind: 'magic' }, 400, 'invalid_value', 'kind'],
  ['with a field that is not known', { name: 'x', base_url, apikey: key }, 400, 'unknown_parameter', 'apikey'],
  ['with a relative path', { name: 'x', base_url, ca_file: 'ca.pem' }, 400, 'invalid_value', 'ca_file'],
  ['with a variable of the environment', { name: 'x', base_url, api_key: '${' + 'HOME}' }, 400, null, null],
] as const)
  test(`an upstream ${name} is refused, and none is added`, async () => {
    await assert.rejects(does('create', undefined, { body }), (error: unknown) => {
      assert.ok(error instanceof Fault, String(error))
      assert.equal(error.status, status, error.message)
      if (code !== null) assert.equal(error.code, code, error.message)
      if (param !== undefined) assert.equal(error.param, param, error.message)
      return true
    })
    assert.deepEqual(
      reaching.upstreams.list().map(upstream => upstream.name),
      ['fixed'],
    )
  })

test('what is not there cannot be changed, and what the file says is changed in the file', async () => {
  for (const verb of ['retrieve', 'delete', 'models'] as const)
    await assert.rejects(does(verb, 'nobody'), refused(404, null))
  for (const verb of ['update', 'test'] as const)
    await assert.rejects(does(verb, 'nobody', { body: {} }), refused(404, null))
  await assert.rejects(does('update', 'fixed', { body: { expose: 'all' } }), refused(409, 'set_by_file'))
  await assert.rejects(does('delete', 'fixed'), refused(409, 'set_by_file'))
})

test('a name that is taken is refused with 409, and a change that is refused changes nothing', async () => {
  await create('east', { api_key: key })
  await assert.rejects(create('east'), refused(409, 'name_in_use', 'name'))
  const before = reaching.upstreams.get('east')
  for (const body of [
    { base_url: null },
    { base_url: 'ftp://x' },
    { api_key: 'sk-…mnop' },
    { name: 'other' },
    { price: {} },
  ])
    await assert.rejects(
      does('update', 'east', { body }),
      (error: unknown) => error instanceof Fault && error.status === 400,
    )
  assert.equal(reaching.upstreams.get('east'), before)
  await does('delete', 'east')
})

test('an upstream that a route uses is kept, and the routes are named', async () => {
  await create('east')
  const acting = { ...services, caller: operator, from: terminal }
  await reaching.routes.create(acting, 'team', { upstream: 'east' })
  await assert.rejects(does('delete', 'east'), (error: unknown) => {
    assert.ok(error instanceof Fault && error.code === 'upstream_in_use')
    assert.match(error.message, /'team'/)
    return true
  })
  await reaching.routes.remove(acting, 'team')
  await does('delete', 'east')
})

test('of two changes at the same time one is made, and the other is told so', async () => {
  await create('east')
  const changes = [{ idle_timeout_ms: 1 }, { idle_timeout_ms: 2 }].map(body => does('update', 'east', { body }))
  const outcomes = await Promise.allSettled(changes)
  const lost = outcomes.filter(outcome => outcome.status === 'rejected')
  assert.equal(lost.length, 1)
  assert.ok(refused(409, 'changed_meanwhile')(lost[0]?.reason))
  await does('delete', 'east')
})

test('what another process has added is found', async () => {
  const other = await testUpstreams(services)
  try {
    await create('east', { api_key: key })
    await other.upstreams.look()
    assert.equal(other.upstreams.get('east').settings.api_key, key)
    await assert.rejects(
      other.upstreams.create({ ...services, caller: operator, from: terminal }, 'east', { base_url }),
      refused(409, 'name_in_use'),
    )
    await does('delete', 'east')
    await other.upstreams.look()
    assert.equal(other.upstreams.find('east'), undefined)
  } finally {
    other.close()
  }
})
