/** Ways to an upstream: TLS of all kinds, proxies, and what goes wrong on the way. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { TlsOptions } from 'node:tls'
import {
  completion,
  goodEvents,
  jsonAnswer,
  silence,
  stream,
  streamThenSilence,
} from '../../../../test/hostile/scripts.ts'
import {
  assertNothingLeaks,
  chat,
  faultOf,
  key,
  relayed,
  streamedChat,
  textOf,
} from '../../../../test/hostile/setting.ts'
import { TextSink, testCall } from '../../../../test/hostile/sinks.ts'
import { type HostileUpstream, hostileUpstream, type Script } from '../../../../test/hostile/upstream.ts'
import { certificateFile, passphrase, pem, serverWith } from '../../../../test/support/certificates/index.ts'
import { busyMs } from '../../../../test/support/held.ts'
import { startProxy, type TestProxy } from '../../../../test/support/proxy.ts'
import type { Proxies } from '../../../lib/connections/index.ts'
import { describe, silentLog } from '../../../lib/log.ts'
import type { Engine } from '../../engine.ts'
import { type Timeouts, upstreamEngine } from '../index.ts'
import { upstreamPools } from './pools.ts'
import type { ConnectionSettings } from './settings.ts'

const trusted = { ca_file: certificateFile('ca') }
const good = jsonAnswer(200, completion)

interface Way {
  upstream: HostileUpstream
  engine: Engine
}

/** An upstream, and an engine that reaches it under the name `upstream.test` when there is a proxy to look it up. */
async function way(
  t: TestContext,
  settings: ConnectionSettings,
  { secure = serverWith('server'), script = good, proxies = {}, host, timeouts = {} }: Partial<WayOptions> = {},
): Promise<Way> {
  const upstream = await hostileUpstream(script, secure === 'none' ? undefined : secure)
  const pools = upstreamPools(proxies)
  t.after(async () => {
    await pools.close()
    await upstream.close()
  })
  const baseUrl = `${upstream.origin.replace('127.0.0.1', host ?? '127.0.0.1')}/v1`
  const pool = pools.of(baseUrl, settings, 'upstreams.big')
  const more = { name: 'big', apiKey: key, target: 'big-1', version: '0.0.0', log: silentLog, timeouts }
  return { upstream, engine: upstreamEngine({ ...more, baseUrl, pool }) }
}

interface WayOptions {
  secure: TlsOptions | 'none'
  script: Script
  proxies: Proxies
  host: string
  timeouts: Partial<Timeouts>
}

const proxied = async (t: TestContext, secure?: Parameters<typeof startProxy>[0]): Promise<TestProxy> => {
  const proxy = await startProxy(secure)
  t.after(() => proxy[Symbol.asyncDispose]())
  return proxy
}

const asks = async ({ engine }: Way) => {
  const text = textOf(await relayed(engine, chat))
  for (let turns = 0; turns < 20; turns++) await turn() // until the connection is idle
  return text
}
const refused = async ({ engine, upstream }: Way) => {
  const fault = faultOf(await relayed(engine, chat))
  assertNothingLeaks(JSON.stringify([fault.body(), fault.headers]), upstream.port)
  return { status: fault.status, code: fault.code, cause: describe(fault.cause) }
}

test('an upstream with a certificate of the house is reached with `ca_file`, and not without', async t => {
  const known = await way(t, trusted)
  assert.match(await asks(known), /Hello/)
  known.upstream.script = stream(goodEvents)
  assert.match(textOf(await relayed(known.engine, streamedChat)), /wörld[\s\S]*\[DONE\]/)
  for (const settings of [{}, { ca_file: certificateFile('other-ca') }]) {
    const stranger = await way(t, settings)
    const { status, code, cause } = await refused(stranger)
    assert.deepEqual([status, code], [502, 'upstream_unreachable'])
    assert.match(cause, /certificate/)
    assert.equal(stranger.upstream.received.length, 0, 'it never saw the key')
  }
})

for (const name of ['expired', 'elsewhere'] as const)
  test(`a certificate that is ${name === 'expired' ? 'expired' : 'for another name'} is refused before anything is sent`, async t => {
    const it = await way(t, trusted, { secure: serverWith(name) })
    const refusals = await Promise.all([refused(it), refused(it), refused(it)])
    for (const { status, code, cause } of refusals) {
      assert.deepEqual([status, code], [502, 'upstream_unreachable'])
      assert.match(cause, name === 'expired' ? /expired/ : /does not match certificate/)
    }
    assert.equal(it.upstream.received.length, 0)
  })

const mutual = { ...serverWith('server'), ca: pem('ca'), requestCert: true, rejectUnauthorized: true }

test('an upstream that demands a certificate gets ours, also from an encrypted key', async t => {
  const papers = { ...trusted, cert_file: certificateFile('client'), key_file: certificateFile('client-key') }
  const encrypted = { ...papers, key_file: certificateFile('client-key-encrypted'), key_passphrase: passphrase }
  for (const settings of [papers, encrypted])
    assert.match(await asks(await way(t, settings, { secure: mutual })), /Hello/)
})

test('an upstream that demands a certificate refuses us without one, and with that of a stranger', async t => {
  const stranger = { cert_file: certificateFile('stranger'), key_file: certificateFile('client-key') }
  for (const settings of [trusted, { ...trusted, ...stranger }]) {
    const it = await way(t, settings, { secure: mutual })
    const { status, code } = await refused(it)
    assert.deepEqual([status, code], [502, 'upstream_unreachable'])
    assert.equal(it.upstream.received.length, 0)
  }
})

test('files that cannot be used are named with their setting', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-papers-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = (name: string) => join(folder, name)
  await writeFile(file('empty.pem'), '')
  await writeFile(file('broken.pem'), '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n')
  const cert_file = certificateFile('client')
  const cases: [ConnectionSettings, RegExp][] = [
    [{ ca_file: file('gone.pem') }, /`upstreams\.big\.ca_file`: the file .*gone\.pem cannot be read/],
    [{ ca_file: folder }, /ca_file.* cannot be read/],
    [{ ca_file: file('empty.pem') }, /`upstreams\.big\.ca_file`: the file .*empty\.pem is no file of certificates/],
    [{ ca_file: file('broken.pem') }, /ca_file.*broken\.pem: certificate 1 cannot be read/],
    [{ ca_file: certificateFile('client-key') }, /client-key\.pem holds no certificate/],
    [{ cert_file, key_file: file('gone.pem') }, /`upstreams\.big\.key_file`: the file .*gone\.pem cannot be read/],
    [{ cert_file, key_file: certificateFile('server-key') }, /`upstreams\.big\.key_file` cannot be used/],
    [{ cert_file, key_file: certificateFile('client-key-encrypted') }, /`upstreams\.big\.key_file` cannot be used/],
    [
      { cert_file, key_file: certificateFile('client-key-encrypted'), key_passphrase: 'canary-wrong' },
      /`upstreams\.big\.key_file` cannot be used/,
    ],
  ]
  const pools = upstreamPools({})
  for (const [settings, message] of cases)
    assert.throws(
      () => pools.of('https://upstream.test/v1', settings, 'upstreams.big'),
      (error: Error) => message.test(error.message) && !describe(error).includes('canary'),
      String(message),
    )
  await pools.close()
})

test('connections are shared by those who go to one origin in one way, and by no others', async () => {
  const pools = upstreamPools({ https: 'http://p.example:1' })
  const of = (settings: ConnectionSettings = {}, url = 'https://upstream.test/v1') => pools.of(url, settings, 'x')
  const usual = of()
  assert.equal(of({}, 'https://upstream.test/other'), usual)
  assert.equal(of({ proxy: 'http://p.example:1' }), usual)
  const others = [
    of({}, 'https://upstream.test:8443/v1'),
    of({ proxy: 'none' }),
    of({ proxy: 'http://user:pass@p.example:1' }),
    of({ proxy: 'http://q.example:1' }),
    of({ connections: 2 }),
    of({ connect_timeout_ms: 200 }),
    of({ ca_file: certificateFile('ca') }),
    of({ ca_file: certificateFile('other-ca') }),
    of({ cert_file: certificateFile('client'), key_file: certificateFile('client-key') }),
  ]
  assert.equal(new Set([usual, ...others]).size, others.length + 1)
  await pools.close()
})

test('an upstream with few connections answers everybody, one after the other', async t => {
  let open = 0
  let most = 0
  const both = Promise.withResolvers<void>()
  const script: Script = async (wire, request) => {
    most = Math.max(most, ++open)
    if (open === 2) both.resolve()
    await both.promise
    open--
    await good(wire, request)
  }
  const it = await way(t, { connections: 2 }, { secure: 'none', script })
  await Promise.all(Array.from({ length: 20 }, () => asks(it)))
  assert.equal(most, 2)
  assert.deepEqual(new Set(it.upstream.received.map(({ connection }) => connection)), new Set([0, 1]))
})

const ways = [
  { name: 'https through a tunnel', secure: serverWith('server'), proxyIs: undefined },
  { name: 'https through a tunnel in TLS', secure: serverWith('server'), proxyIs: serverWith('server') },
  { name: 'http sent on', secure: 'none', proxyIs: undefined },
  { name: 'http sent on over TLS', secure: 'none', proxyIs: serverWith('server') },
] as const

for (const { name, secure, proxyIs } of ways) {
  const isTunnel = secure !== 'none'
  const options = { secure, host: 'upstream.test' }

  test(`${name}: documents and streams come through the proxy, which alone looks the name up, on connections that are used again`, async t => {
    const proxy = await proxied(t, proxyIs)
    proxy.credentials = `Basic ${Buffer.from('me:canary@!').toString('base64')}`
    const it = await way(t, { ...trusted, proxy: proxy.url.replace('//', '//me:canary%40!@') }, options)
    for (let round = 0; round < 3; round++) assert.match(await asks(it), /Hello/)
    it.upstream.script = stream(goodEvents)
    assert.match(textOf(await relayed(it.engine, streamedChat)), /wörld[\s\S]*\[DONE\]/)
    const { received } = it.upstream
    assert.equal(received.length, 4)
    assert.ok(received.every(({ path }) => path === '/v1/chat/completions'))
    assert.ok(received.every(({ headers }) => headers.host === `upstream.test:${it.upstream.port}`))
    assert.doesNotMatch(received.map(({ rawHead }) => rawHead).join(), /proxy-/i, 'what is for the proxy stays there')
    const targets = new Set(proxy.asked.map(({ method, target }) => `${method} ${target}`))
    const authority = `upstream.test:${it.upstream.port}`
    assert.deepEqual([...targets], [isTunnel ? `CONNECT ${authority}` : `POST http://${authority}/v1/chat/completions`])
    if (isTunnel) {
      assert.equal(proxy.asked.length, 1)
      assert.doesNotMatch(JSON.stringify(proxy.asked), new RegExp(key), 'a tunnel shows nothing')
    }
  })

  test(`${name}: a proxy that wants other credentials is 502, and they are told to nobody`, async t => {
    const proxy = await proxied(t, proxyIs)
    proxy.credentials = 'Basic c29tZTpib2R5'
    for (const who of ['', 'me:canary@']) {
      const it = await way(t, { ...trusted, proxy: proxy.url.replace('//', `//${who}`) }, options)
      const { status, code, cause } = await refused(it)
      assert.deepEqual([status, code], [502, 'upstream_unreachable'])
      assert.match(cause, /A proxy asks for credentials.*407/)
      assert.doesNotMatch(cause, /canary|Y2FuYXJ5|bWU6/)
      assert.equal(it.upstream.received.length, 0)
    }
  })

  test(`${name}: a proxy that is gone, breaks off or talks nonsense is 502; one that hangs is 504`, async t => {
    const proxy = await proxied(t, proxyIs)
    const settings = { ...trusted, proxy: proxy.url, connect_timeout_ms: 300 }
    const it = await way(t, settings, options)
    proxy.manner = 'dies'
    assert.equal((await refused(it)).code, 'upstream_unreachable')
    if (isTunnel) {
      for (const bytes of [
        'SSH-2.0-OpenSSH_9.6\r\n\r\n',
        'HTTP/1.1 403 Forbidden\r\n\r\n',
        'HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\n\r\n<html>',
        'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n',
        'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
        `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`,
        'HTTP/1.1 200 OK\r\nx: y',
        '',
      ]) {
        proxy.manner = { bytes }
        assert.equal((await refused(it)).code, 'upstream_unreachable', bytes.slice(0, 60))
      }
    }
    proxy.manner = 'hangs'
    const hasty = await way(t, settings, { ...options, timeouts: isTunnel ? {} : { firstByteMs: 300 } })
    const { status, code } = await refused(hasty)
    assert.deepEqual([status, code], [504, 'upstream_timeout'])
    assert.equal(it.upstream.received.length + hasty.upstream.received.length, 0)
    proxy.manner = 'works'
    assert.match(await asks(it), /Hello/, 'the next one is served')
    it.upstream.script = streamThenSilence(goodEvents.slice(0, 2))
    const reply = await it.engine.relay?.('/chat/completions', streamedChat, testCall())
    assert.ok(reply?.kind === 'stream')
    const sink = new TextSink()
    const piped = reply.pipe(sink)
    await sink.holds('Hel')
    proxy.breakAll()
    assert.equal((await piped)?.code, 'upstream_interrupted')
    await proxy[Symbol.asyncDispose]()
    assert.equal((await refused(it)).code, 'upstream_unreachable')
  })

  test(`${name}: a client that leaves is gone from the upstream within 100 ms, at every stage`, async t => {
    const proxy = await proxied(t, proxyIs)
    const it = await way(t, { ...trusted, proxy: proxy.url }, options)
    const stages = [
      { script: silence, request: chat, after: '' },
      { script: silence, request: streamedChat, after: '' },
      { script: streamThenSilence(goodEvents.slice(0, 2)), request: streamedChat, after: 'Hel' },
    ]
    await leavesAtOnce(it, stages)
  })
}

test('https without a proxy: a client that leaves is gone from the upstream within 100 ms, at every stage', async t => {
  await leavesAtOnce(await way(t, trusted), [
    { script: silence, request: chat, after: '' },
    { script: silence, request: streamedChat, after: '' },
    { script: streamThenSilence(goodEvents.slice(0, 2)), request: streamedChat, after: 'Hel' },
  ])
})

async function leavesAtOnce({ upstream, engine }: Way, stages: { script: Script; request: object; after: string }[]) {
  for (const [number, { script, request, after }] of stages.entries()) {
    upstream.script = script
    const call = testCall()
    const sink = new TextSink()
    const ended = engine
      .relay?.('/chat/completions', request, call)
      .then(reply => (reply.kind === 'stream' ? reply.pipe(sink) : undefined))
      .catch((error: unknown) => assert.equal(error, call.signal.reason))
    const received = await upstream.request(number)
    if (after !== '') await sink.holds(after)
    const leftAt = performance.now()
    call.abort()
    const tookMs = (await received.closed) - leftAt
    assert.ok(tookMs < busyMs, `stage ${number}: ${tookMs} ms`)
    await ended
  }
}

test('a client that leaves while a proxy thinks is gone at once', async t => {
  const proxy = await proxied(t)
  proxy.manner = 'hangs'
  const { engine } = await way(t, { ...trusted, proxy: proxy.url, connect_timeout_ms: 500 }, { host: 'upstream.test' })
  const call = testCall()
  const ended = relayed(engine, chat, call).catch((error: unknown) => error)
  while (proxy.asked.length === 0) await turn()
  call.abort()
  assert.equal(await ended, call.signal.reason)
})

for (const secure of [serverWith('server'), 'none'] as const)
  test(`over ${secure === 'none' ? 'http' : 'https'} the environment chooses the proxy, and the setting has the last word`, async t => {
    const proxy = await proxied(t)
    const proxies = secure === 'none' ? { http: proxy.url } : { https: proxy.url }
    const usual = { secure, proxies, host: 'upstream.test' }
    assert.match(await asks(await way(t, trusted, usual)), /Hello/)
    assert.equal(proxy.asked.length, 1)
    assert.match(await asks(await way(t, trusted, { ...usual, host: 'localhost' })), /Hello/)
    assert.match(await asks(await way(t, trusted, { ...usual, host: '127.0.0.1' })), /Hello/)
    const direct = { connect_timeout_ms: 2000 }
    for (const [settings, none] of [
      [{ ...direct, proxy: 'none' }, ''],
      [direct, '.test'],
    ] as const) {
      const it = await way(t, { ...trusted, ...settings }, { ...usual, proxies: { ...proxies, none } })
      assert.match((await refused(it)).code ?? '', /upstream_(?:unreachable|timeout)/, 'nobody here knows the name')
    }
    assert.equal(proxy.asked.length, 1)
  })

for (const how of ['ends', 'resets'] as const)
  test(`through a tunnel, a request that finds its idle connection closed is sent once more: the upstream ${how}`, async t => {
    const proxy = await proxied(t)
    let drops = 0
    const script: Script = async (wire, request) => {
      if (drops-- <= 0) await good(wire, request)
      else if (how === 'ends') wire.end()
      else wire.reset()
    }
    const it = await way(t, { ...trusted, proxy: proxy.url }, { script, host: 'upstream.test' })
    drops = 1
    assert.equal((await refused(it)).code, 'upstream_unreachable', 'a fresh connection')
    assert.match(await asks(it), /Hello/)
    drops = 1
    assert.match(await asks(it), /Hello/, 'an idle one')
    assert.equal(it.upstream.received.length, 4)
  })
