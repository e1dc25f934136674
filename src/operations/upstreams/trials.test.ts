import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Upstream as Fake, startUpstream, upstreamModels } from '../../../test/support/upstream.ts'
import { terminal } from '../../platform/audit.ts'
import { execute } from '../../platform/execute.ts'
import { makeModels } from '../../platform/models.ts'
import { testServices } from '../../platform/services.fixture.ts'
import { knownUpstreams, upstreamOf } from '../../platform/upstreams/listing/listing.fixture.ts'
import { fits } from '../../wire/check.ts'
import { upstreamOperations } from './index.ts'

let fake: Fake
let services: Awaited<ReturnType<typeof testServices>>
before(async () => {
  fake = await startUpstream()
  services = await testServices(makeModels([], {}))
})
after(async () => {
  await services.close()
  await fake.close()
})

type Settings = Parameters<typeof upstreamOf>[1]

// biome-ignore lint/suspicious/noExplicitAny: replies are held against their schemas, and read here as tests like
async function does(id: 'test' | 'models', more: Settings = {}, body?: object, around: object = {}): Promise<any> {
  const operation = upstreamOperations.find(one => one.id === `operator.upstreams.${id}`)!
  const upstream = upstreamOf('east', { base_url: fake.baseUrl, api_key: fake.key, ...more })
  const upstreams = { ...services.upstreams, ...knownUpstreams([upstream]), ...around }
  const caller = await services.keys.operator()
  const { signal } = new AbortController()
  const asked = { params: { upstream: 'east' }, query: {}, caller, from: terminal, bytes: 0, signal }
  const before = (await services.store.read.selectFrom('usage').selectAll().execute()).length
  const reply = await execute(operation, { ...asked, body, wants: 'values' }, { ...services, upstreams })
  assert.equal((await services.store.read.selectFrom('usage').selectAll().execute()).length, before)
  assert.ok(reply.kind === 'json' && fits(operation.reply, reply.value), JSON.stringify(reply))
  assert.ok(!JSON.stringify(reply.value).includes(fake.key))
  return { ...reply.value, findings: upstreams.findings('east') }
}

test('a test charges nobody, and what it finds counts as known', async () => {
  const tried = await does('test', {}, { model: upstreamModels.chat })
  assert.deepEqual([tried.ok, tried.model, tried.steps.length], [true, upstreamModels.chat, 7])
  assert.deepEqual([tried.findings.health.state, tried.findings.models], ['ready', fake.models])
})

test('without a model, one that is exposed by name is tried; otherwise no chat is', async () => {
  const asked = fake.requests.length
  assert.equal((await does('test', { expose: [upstreamModels.chat] }, {})).model, upstreamModels.chat)
  assert.equal(fake.requests.length, asked + 2)
  for (const expose of ['all', 'none'] as const) assert.equal((await does('test', { expose }, {})).model, null)
  assert.equal(fake.requests.length, asked + 2)
})

test('an upstream that cannot even be asked is told so, for the operator', async () => {
  const line = () => {
    throw new Error('`upstreams.east.ca_file`: the file /ca.pem cannot be read.')
  }
  const { ok, steps } = await does('test', {}, {}, { line })
  assert.equal(ok, false)
  assert.match(steps[1].detail, /cannot be used as it is set up: `upstreams\.east\.ca_file`/)
  const noToken = await does('test', {}, {}, { line: withoutToken })
  assert.deepEqual([noToken.steps[2].ok, noToken.steps[2].name], [false, 'key'])
  assert.match(noToken.steps[2].detail, /AADSTS7000215/)
})

function withoutToken() {
  const { line } = knownUpstreams([upstreamOf('east', { base_url: fake.baseUrl })])
  return { ...line('east'), credentials: () => Promise.reject(new Error('Entra says AADSTS7000215.')) }
}

test('the list of models is read when it never was, and says why there is none', async () => {
  const listed = await does('models')
  assert.deepEqual(
    listed.data.map(({ id, exposed }: { id: string; exposed: boolean }) => [id, exposed]),
    fake.models?.map(name => [name, false]),
  )
  assert.equal(listed.detail, null)
  const refused = await does('models', { api_key: 'sk-wrong' })
  assert.deepEqual([refused.data, refused.findings.health.state], [[], 'failed'])
  assert.match(refused.detail, /refuses the key/)
})

test('Azure’s list is no list of what can be called, and does not pretend to be', async () => {
  const azure = { kind: 'azure', base_url: fake.baseUrl.replace('/v1', '/openai/v1') } as const
  assert.deepEqual((await does('models', azure)).data, [])
})
