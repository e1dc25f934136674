import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { request } from 'undici'
import { fault } from '../../lib/faults.ts'
import { type Door, openDoor, type Reply } from '../door.fixture.ts'
import { azureError } from './errors.ts'

const chat = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3 }
const under = (deployment: string, rest = 'chat/completions') => `/openai/deployments/${deployment}/${rest}`

let door: Door
let secret = ''
before(async () => {
  door = await openDoor()
  secret = (await door.keys.create({ name: 'app' })).secret
})
after(() => door.close())

/** Every way to hand over a key. */
const carriers: [name: string, headers: (key: string) => Record<string, string>][] = [
  ['Authorization', key => ({ authorization: `Bearer ${key}` })],
  ['api-key', key => ({ 'api-key': key })],
  ['api-key with Bearer, as @azure/openai 1 may send it', key => ({ 'api-key': `Bearer ${key}` })],
  ['both, as openai-python 1 sends them', key => ({ authorization: `Bearer ${key}`, 'api-key': key })],
  ['api-key behind a proxy with a password of its own', key => ({ authorization: 'Basic dTpw', 'api-key': key })],
]
const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, headers: Record<string, string> = {}) =>
  door.ask(method, path, { headers: { 'api-key': secret, ...headers }, ...(body !== undefined && { body }) })
const errorOf = ({ status, body }: Reply) => [status, body?.error?.code]

for (const [name, headers] of carriers)
  describe(`a key in ${name}`, () => {
    test('opens OpenAI’s paths and Azure’s', async () => {
      for (const path of ['/v1/models', '/openai/models', '/openai/v1/models'])
        assert.equal((await door.ask('GET', path, { headers: headers(secret) })).status, 200, path)
    })

    test('is held to all that a key is held to', async () => {
      const { row, secret: own } = await door.keys.create({
        name: 'narrow',
        scopes: ['model.read'],
        models: ['others'],
      })
      const as = headers(own)
      const refused = async (path: string, body = {}) => errorOf(await door.ask('POST', path, { headers: as, body }))
      assert.deepEqual(await refused('/v1/chat/completions', { model: 'words', ...chat }), [403, 'missing_scope'])
      assert.deepEqual(await refused(under('words'), chat), [403, 'missing_scope'])
      assert.deepEqual((await door.does('GET', '/openai/models', { headers: as })).data, [])
      const asked = { ...as, 'openai-organization': 'org-of-others' }
      const foreign = await door.ask('GET', '/v1/models', { headers: asked })
      assert.deepEqual(errorOf(foreign), [401, 'mismatched_organization'])
      await door.keys.revoke(row.id)
      door.clock.advance(2000)
      assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { headers: as })), [401, 'invalid_api_key'])
      assert.deepEqual(errorOf(await door.ask('GET', '/openai/models', { headers: as })), [401, '401'])
    })

    test('asks only the models that it may', async () => {
      const { secret: own } = await door.keys.create({ name: 'narrow', models: ['others'] })
      const reply = await door.ask('POST', under('words'), { headers: headers(own), body: chat })
      assert.deepEqual(errorOf(reply), [404, 'DeploymentNotFound'])
    })

    test('expires', async () => {
      const { secret: own } = await door.keys.create({ name: 'short', expiresAt: door.clock.now() + 1000 })
      assert.equal((await door.ask('GET', '/v1/models', { headers: headers(own) })).status, 200)
      door.clock.advance(2000)
      assert.equal((await door.ask('GET', '/v1/models', { headers: headers(own) })).status, 401)
    })
  })

describe('whoever', () => {
  test('sends no key, an empty one, a wrong one or two in one header gets in nowhere', async () => {
    const two = `${secret}, ${secret}`
    for (const headers of [
      {},
      { 'api-key': '' },
      { 'api-key': 'nobodys' },
      { 'api-key': two },
      { 'api-key': `${secret} x` },
      { 'api-key': 'k'.repeat(600) },
      { authorization: 'Bearer wrong', 'api-key': secret }, // the bearer's counts
    ] as Record<string, string>[]) {
      assert.equal((await door.ask('GET', '/v1/models', { headers })).status, 401, JSON.stringify(headers))
      assert.deepEqual(errorOf(await door.ask('GET', '/openai/models', { headers })), [401, '401'])
    }
  })

  test('sends a cookie as well goes by the key', async () => {
    const headers = { 'api-key': 'wrong', cookie: `parlance_session=sess-${'0'.repeat(48)}` }
    assert.deepEqual(errorOf(await door.ask('GET', '/v1/models', { headers })), [401, 'invalid_api_key'])
    const person = await door.ask('GET', '/v1/parlance/sessions', { headers: { ...headers, 'api-key': secret } })
    assert.deepEqual(errorOf(person), [403, 'sign_in_needed'])
  })

  test('looks for the administration or for signing in under Azure’s paths finds nothing', async () => {
    for (const path of ['/openai/organization/projects', '/openai/v1/parlance/keys', '/openai/v1/organization/users'])
      assert.deepEqual(errorOf(await ask('GET', path)), [404, '404'], path)
  })
})

describe('a request under a deployment', () => {
  test('asks the model of that name, whatever the body names', async () => {
    for (const [path, body] of [
      [under('words'), chat],
      [`${under('words')}?api-version=2024-02-01`, chat],
      [`${under('w%6Frds')}?api-version=nonsense`, { ...chat, model: 'unheard-of' }],
      [`/v1${under('words')}?api-version=2024-03-01-preview`, { ...chat, model: 7 }],
      ['/openai/v1/chat/completions', { ...chat, model: 'words' }],
      ['/openai/chat/completions?api-version=2024-02-01', { ...chat, model: 'words' }],
    ] as const) {
      const reply = await ask('POST', path, body)
      assert.deepEqual([reply.status, reply.body.model], [200, 'words'], JSON.stringify(reply.body))
    }
  })

  test('with an Idempotency-Key is answered once, and not with the reply of another deployment', async () => {
    const headers = { 'idempotency-key': 'once-azure' }
    const first = await ask('POST', `${under('words')}?api-version=a`, chat, headers)
    assert.ok('prompt_filter_results' in first.body)
    const again = await ask('POST', `${under('words')}?api-version=b`, chat, headers)
    assert.deepEqual([again.body, again.headers['idempotent-replayed']], [first.body, 'true'])
    const other = await ask('POST', under('unheard-of'), chat, headers)
    assert.deepEqual(errorOf(other), [400, 'idempotency_key_reused'])
  })

  test('streams with Azure’s first event, and says nothing of filters on OpenAI’s paths', async () => {
    for (const [path, opens] of [
      [under('words'), true],
      ['/v1/chat/completions', false],
    ] as const) {
      const reply = await request(door.url + path, {
        method: 'POST',
        dispatcher: door.agent,
        headers: { 'api-key': secret, 'content-type': 'application/json' },
        body: JSON.stringify({ ...chat, model: 'words', stream: true }),
      })
      const [first] = (await reply.body.text()).split('\n\n')
      assert.equal(first?.includes('prompt_filter_results'), opens)
    }
    assert.ok(
      !('prompt_filter_results' in (await ask('POST', '/v1/chat/completions', { ...chat, model: 'words' })).body),
    )
  })
})

describe('replies of Azure’s paths', () => {
  test('carry Azure’s headers, errors too; those of OpenAI’s do not', async () => {
    for (const reply of [await ask('GET', '/openai/models'), await ask('POST', under('unheard-of'), chat)]) {
      const { 'x-request-id': id, 'apim-request-id': guid } = reply.headers
      assert.match(String(guid), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.equal(`req_${String(guid).replaceAll('-', '')}`, id)
      assert.deepEqual([reply.headers['x-ms-region'], reply.headers['azureml-model-session']], ['local', 'parlance'])
    }
    assert.equal((await ask('GET', '/v1/models')).headers['apim-request-id'], undefined)
  })

  test('are errors in Azure’s form, and never without a code', async () => {
    const outcomes = [
      [
        await ask('POST', under('unheard-of'), chat),
        404,
        'DeploymentNotFound',
        /^The API deployment for this resource/,
      ],
      [await ask('GET', '/openai/models', undefined, { 'api-key': 'wrong' }), 401, '401', /^Access denied due to/],
      [await ask('GET', '/openai/nothing'), 404, '404', /^Resource not found/],
      [await ask('POST', under('words', 'images/generations:submit'), {}), 404, '404', /^Resource not found/],
      [await ask('POST', under('', 'completions'), {}), 404, '404', /^Resource not found/],
    ] as const
    for (const [{ status, body }, expected, code, says] of outcomes) {
      assert.deepEqual([status, body.error.code, Object.keys(body.error)], [expected, code, ['code', 'message']])
      assert.match(body.error.message, says)
    }
    const bad = await ask('POST', under('words'), { ...chat, temperature: 9 })
    const { message, ...rest } = bad.body.error
    assert.match(message, /temperature/)
    const named = { type: 'invalid_request_error', param: 'temperature', code: 'decimal_above_max_value' }
    assert.deepEqual([bad.status, rest], [400, named])
    assert.deepEqual(errorOf(await ask('DELETE', under('words'))), [405, 'method_not_supported'])
    assert.deepEqual(errorOf(await ask('POST', under('words'), [])), [400, '400'])
  })

  test('name the seconds to wait where a limit is met, and keep the code of an empty purse', () => {
    const numbers = { model: 'm', organizationId: 'o', whose: 'key', words: 'tokens per min (TPM)', headers: {} }
    const counted = { ...numbers, type: 'tokens' as const, limit: 9, used: 5, requested: 6 }
    const limited = azureError(fault.rateLimited({ ...counted, retryAfterMs: 2500 })).error
    assert.ok('code' in limited && 'message' in limited)
    assert.equal(limited.code, '429')
    assert.match(String(limited.message), /exceeded the token rate limit\. Please retry after 3 seconds\./)
    const never = azureError(fault.rateLimited({ ...counted, type: 'requests', retryAfterMs: null })).error
    assert.match(JSON.stringify(never), /exceeded the call rate limit\. Request too large/)
    assert.match(JSON.stringify(azureError(fault.quotaExceeded('Empty.'))), /"code":"insufficient_quota"/)
  })
})
