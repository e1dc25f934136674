/** Tokens of Microsoft Entra: one question for all who wait, a new one in time, and nothing said that is secret. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { answer, bytes, bytesThenReset, endless, jsonAnswer, silence } from '../../../../test/hostile/scripts.ts'
import { chat, faultOf, relayed, textOf } from '../../../../test/hostile/setting.ts'
import { testCall } from '../../../../test/hostile/sinks.ts'
import { type HostileUpstream, hostileUpstream, type Script } from '../../../../test/hostile/upstream.ts'
import { azureApplication, azureDeployment, type FakeAzure, startAzure } from '../../../../test/support/azure.ts'
import { manualClock } from '../../../lib/clock.ts'
import { describe, type LogFields, silentLog } from '../../../lib/log.ts'
import { seededRandom } from '../../../lib/random.ts'
import { upstreamPools } from '../connection/pools.ts'
import { upstreamEngine } from '../index.ts'
import { upstreamPool } from '../pool.ts'
import { EntraCredential, type EntraSettings, NoToken } from './entra.ts'
import { upstreamCredentials } from './options.ts'

const application = { tenant_id: 'the-tenant', client_id: 'the-application', client_secret: 'canary-of-the-app' }

interface Asking {
  authority: HostileUpstream
  credential: EntraCredential
  clock: ReturnType<typeof manualClock>
  logged: string[]
}

async function asking(t: TestContext, script: Script, settings: Partial<EntraSettings> = {}): Promise<Asking> {
  const authority = await hostileUpstream(script)
  const pool = upstreamPool(authority.origin)
  const clock = manualClock()
  const logged: string[] = []
  const line = (event: string, fields?: LogFields) => void logged.push(JSON.stringify({ event, ...fields }))
  const credential = new EntraCredential({
    settings: { ...application, authority: authority.origin, ...settings },
    ...{ pool, clock, random: seededRandom(1), log: { info: line, warn: line, error: line }, upstream: 'east' },
  })
  t.after(async () => {
    credential.close()
    await pool.close()
    await authority.close()
  })
  return { authority, credential, clock, logged }
}

/** Tokens `token-0`, `token-1` and so on, good for an hour. */
function numbered(lifeSeconds: unknown = 3600): Script {
  let given = 0
  return (wire, request) =>
    jsonAnswer(200, { token_type: 'Bearer', expires_in: lifeSeconds, access_token: `token-${given++}` })(wire, request)
}

const waits = () => new AbortController().signal

const refusal = async (credential: EntraCredential): Promise<string> => {
  const error: unknown = await credential.token(waits()).then(
    token => assert.fail(`a token came: ${token}`),
    reason => reason,
  )
  assert.ok(error instanceof NoToken)
  return error.message
}

test('an application asks with its secret, once for all who wait, and keeps the token', async t => {
  const { authority, credential } = await asking(t, numbered())
  assert.equal(credential.current(), undefined)
  const tokens = await Promise.all(Array.from({ length: 100 }, () => credential.token(waits())))
  assert.deepEqual(new Set(tokens), new Set(['token-0']))
  assert.equal(await credential.token(waits()), 'token-0')
  assert.equal(credential.current(), 'token-0')
  assert.equal(authority.received.length, 1)
  const [asked] = authority.received
  assert.equal(asked?.path, '/the-tenant/oauth2/v2.0/token')
  assert.deepEqual(Object.fromEntries(new URLSearchParams(asked?.body)), {
    grant_type: 'client_credentials',
    client_id: application.client_id,
    client_secret: application.client_secret,
    scope: 'https://cognitiveservices.azure.com/.default',
  })
})

test('a token is replaced before its end while it is still used, and is not used at its end', async t => {
  const { authority, credential, clock } = await asking(t, numbered())
  await credential.token(waits())
  clock.advance(0.74 * 3_600_000)
  assert.equal(credential.current(), 'token-0')
  assert.equal(authority.received.length, 1, 'too early')
  clock.advance(0.12 * 3_600_000)
  assert.equal(credential.current(), 'token-0', 'nobody waits')
  assert.equal(credential.current(), 'token-0')
  await authority.request(1)
  while (credential.current() === 'token-0') await turn()
  assert.equal(credential.current(), 'token-1')
  assert.equal(authority.received.length, 2)
  clock.advance(3_600_000)
  assert.equal(credential.current(), undefined)
  assert.equal(await credential.token(waits()), 'token-2')
})

test('a token that cannot be replaced is used to its end', async t => {
  const { authority, credential, clock, logged } = await asking(t, numbered())
  await credential.token(waits())
  authority.script = jsonAnswer(500, {})
  clock.advance(0.9 * 3_600_000)
  assert.equal(credential.current(), 'token-0')
  while (logged.length === 0) await turn()
  assert.equal(await credential.token(waits()), 'token-0')
  assert.equal(authority.received.length, 2, 'not asked again at once')
  clock.advance(1000)
  assert.equal(credential.current(), 'token-0')
  await authority.request(2)
})

for (const [told, usable] of [
  [60, 53_000],
  ['120', 107_000],
  [-1, 3_569_000],
  ['soon', 3_569_000],
  [1e12, 3_569_000],
] as const)
  test(`a life of ${JSON.stringify(told)} seconds is understood`, async t => {
    const { credential, clock } = await asking(t, numbered(told))
    await credential.token(waits())
    clock.advance(usable)
    assert.equal(credential.current(), 'token-0')
    clock.advance(2000)
    assert.equal(credential.current(), undefined)
  })

test('a token that the upstream refuses is forgotten, unless there is a newer one', async t => {
  const { credential } = await asking(t, numbered())
  await credential.token(waits())
  credential.refused('token-0')
  assert.equal(credential.current(), undefined)
  assert.equal(await credential.token(waits()), 'token-1')
  credential.refused('token-0')
  assert.equal(credential.current(), 'token-1')
})

const prose = 'AADSTS7000215: Invalid client secret provided: canary-of-the-app. Trace ID: 1'
const json = { 'content-type': 'application/json' }
const failures: { name: string; script: Script; message: RegExp }[] = [
  {
    name: 'a refusal',
    script: jsonAnswer(401, { error: 'invalid_client', error_description: prose }),
    message: /^The authority refused: 401 invalid_client \(AADSTS7000215\)\.$/,
  },
  { name: 'HTML', script: bytes(answer(503, {}, '<h1>busy</h1>')), message: /^The authority refused: 503\.$/ },
  {
    name: 'an error of strange words',
    script: jsonAnswer(400, { error: 'a b\nc', error_description: 7 }),
    message: /^The authority refused: 400\.$/,
  },
  { name: 'a token of two lines', script: jsonAnswer(200, { access_token: 'a\r\nx: y' }), message: /no token/ },
  { name: 'an empty token', script: jsonAnswer(200, { access_token: '' }), message: /no token/ },
  { name: 'a huge token', script: jsonAnswer(200, { access_token: 'x'.repeat(20_000) }), message: /no token/ },
  { name: 'a list', script: jsonAnswer(200, []), message: /no token/ },
  { name: 'half an answer', script: bytes(answer(200, json, '{"access_')), message: /no token/ },
  {
    name: 'an answer without end',
    script: endless('x'.repeat(1000), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', 10_000_000),
    message: /too much/,
  },
  { name: 'a broken connection', script: bytesThenReset(''), message: /could not be reached|broke off/ },
  { name: 'no HTTP', script: bytes('SSH-2.0\r\n\r\n'), message: /no HTTP/ },
  { name: 'a redirect', script: bytes(answer(302, { location: 'http://127.0.0.1:1/' }, '')), message: /302/ },
]

for (const { name, script, message } of failures)
  test(`an authority that answers with ${name} gives no token, is left alone for a second, and can come back`, async t => {
    const { authority, credential, clock, logged } = await asking(t, script)
    const told = await Promise.all(Array.from({ length: 20 }, () => refusal(credential)))
    for (const one of told) assert.match(one, message)
    assert.match(await refusal(credential), message)
    assert.equal(authority.received.length, 1)
    assert.equal(logged.length, 1)
    assert.match(logged[0] ?? '', /"upstream\.no_token","upstream":"east"/)
    assert.doesNotMatch(logged.join(), /canary|Trace/)
    authority.script = numbered()
    clock.advance(1000)
    assert.equal(await credential.token(waits()), 'token-0')
  })

test('who leaves does not hold up, or end, the question of the others', async t => {
  const { authority, credential } = await asking(t, silence)
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  authority.script = async (wire, request) => {
    await released
    await numbered()(wire, request)
  }
  const leaving = new AbortController()
  const left = credential.token(leaving.signal)
  const stays = credential.token(waits())
  await authority.request(0)
  leaving.abort(new Error('left'))
  await assert.rejects(left, /^Error: left$/)
  release()
  assert.equal(await stays, 'token-0')
  await assert.rejects(credential.token(AbortSignal.abort(new Error('late'))), /^Error: late$/)
})

test('the end of the server ends what waits, and nothing is asked afterwards', async t => {
  const { authority, credential } = await asking(t, silence)
  const waiting = refusal(credential)
  await authority.request(0)
  credential.close()
  assert.match(await waiting, /stopping/)
})

test('a token of the platform is read anew for each question, and takes the place of a secret', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-entra-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'token')
  const { client_secret: _, ...withoutSecret } = application
  const { authority, credential, clock } = await asking(t, numbered(), {
    client_secret: undefined,
    token_file: file,
    scope: 'https://ai.azure.com/.default',
  })
  assert.match(await refusal(credential), /file of `token_file` cannot be read/)
  assert.equal(authority.received.length, 0)
  for (const [place, told] of ['first', 'second'].entries()) {
    await writeFile(file, `  ${told}\n`)
    clock.advance(3_600_000)
    assert.equal(await credential.token(waits()), `token-${place}`)
    assert.deepEqual(Object.fromEntries(new URLSearchParams(authority.received[place]?.body)), {
      grant_type: 'client_credentials',
      client_id: withoutSecret.client_id,
      scope: 'https://ai.azure.com/.default',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: told,
    })
  }
  await writeFile(file, '\n')
  credential.refused('token-1')
  assert.match(await refusal(credential), /holds no token/)
})

/** An engine that asks the fake Azure with tokens. */
async function withTokens(t: TestContext) {
  const azure: FakeAzure = await startAzure()
  const pools = upstreamPools({})
  const around = { clock: manualClock(), random: seededRandom(1), log: silentLog }
  const credentials = upstreamCredentials(pools, around)
  t.after(async () => {
    credentials.close()
    await pools.close()
    await azure.close()
  })
  const { tenant, id, secret } = azureApplication
  const entra = { tenant_id: tenant, client_id: id, client_secret: secret, authority: azure.authority.origin }
  const credential = credentials.of('azure', { entra })
  assert.ok(credential)
  const engineOf = async (script: Script) => {
    const upstream = await hostileUpstream(script)
    const pool = upstreamPool(upstream.origin)
    t.after(async () => {
      await pool.close()
      await upstream.close()
    })
    const more = { version: '0.0.0', log: silentLog, pool, credential, kind: 'azure' as const }
    return {
      upstream,
      engine: upstreamEngine({ name: 'big', baseUrl: upstream.origin, target: azureDeployment, ...more }),
    }
  }
  return { azure, credentials, credential, entra, engineOf }
}

test('models of one upstream share their tokens until its settings change', async t => {
  const { credentials, credential, entra } = await withTokens(t)
  assert.equal(credentials.of('azure', { entra: { ...entra } }), credential)
  assert.equal(credentials.of('azure', {}), undefined)
  const changed = credentials.of('azure', { entra: { ...entra, client_secret: 'another' } })
  assert.notEqual(changed, credential)
  assert.notEqual(credentials.of('other', { entra }), changed)
})

test('a token that is no longer taken is replaced, once, and the request is answered', async t => {
  const { azure, engineOf } = await withTokens(t)
  const { engine, upstream } = await engineOf(azure.resource.script)
  assert.match(textOf(await relayed(engine, chat)), /Hello there/)
  azure.tokens.clear()
  assert.match(textOf(await relayed(engine, chat)), /Hello there/)
  assert.equal(azure.authority.received.length, 2)
  assert.equal(upstream.received.length, 3)
  const sent = upstream.received.map(({ headers }) => headers.authorization)
  assert.equal(sent[0], sent[1])
  assert.notEqual(sent[1], sent[2])
  assert.ok(upstream.received.every(({ headers }) => !('api-key' in headers)))
})

test('an upstream that takes no token is told to the operator, after one more try', async t => {
  const { azure, engineOf } = await withTokens(t)
  const { engine, upstream } = await engineOf(jsonAnswer(401, { error: { message: 'No.', code: '401' } }))
  const refused = faultOf(await relayed(engine, chat))
  assert.deepEqual([refused.status, refused.code], [502, 'upstream_refused_key'])
  assert.equal(upstream.received.length, 1, 'the token was new')
  const again = faultOf(await relayed(engine, chat))
  assert.equal(again.code, 'upstream_refused_key')
  assert.equal(azure.authority.received.length, 2)
})

test('without a token nothing is sent, and the caller learns no reason', async t => {
  const { azure, engineOf } = await withTokens(t)
  const { engine, upstream } = await engineOf(jsonAnswer(500, {}))
  azure.authority.script = jsonAnswer(401, { error: 'invalid_client', error_description: prose })
  const refused = faultOf(await relayed(engine, chat))
  assert.deepEqual([refused.status, refused.code], [502, 'upstream_no_token'])
  assert.doesNotMatch(JSON.stringify(refused.body()), /invalid_client|AADSTS|canary/)
  assert.match(describe(refused.cause), /401 invalid_client \(AADSTS7000215\)/)
  assert.equal(upstream.received.length, 0)
})

test('a caller who leaves while a token is asked for is gone, and is no failure of the authority', async t => {
  const { azure, engineOf } = await withTokens(t)
  const { engine } = await engineOf(jsonAnswer(500, {}))
  azure.authority.script = silence
  const call = testCall()
  const asked = relayed(engine, chat, call)
  await azure.authority.request(0)
  call.abort()
  await assert.rejects(asked, { name: 'AbortError' })
})

test('a token stands in no words of the upstream that reach a caller', async t => {
  const { engineOf } = await withTokens(t)
  const { engine } = await engineOf((wire, request) =>
    jsonAnswer(400, { error: { message: `Sent: ${request.headers.authorization}`, code: 'x' } })(wire, request),
  )
  assert.equal(faultOf(await relayed(engine, chat)).message, 'Sent: Bearer [upstream]')
})
