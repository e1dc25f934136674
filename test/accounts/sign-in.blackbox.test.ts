import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Product, runCommand, startProduct } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

const run = promisify(execFile)
const page = await readFile(fileURLToPath(new URL('../../docs/accounts.md', import.meta.url)), 'utf8')

/** Signing in as people know it: from what the start prints to the end of a stream. */
describe('signing in', { timeout: 120_000 }, () => {
  let product: Product
  let upstream: Upstream
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parlance-sign-in-'))
    upstream = await startUpstream()
    const far = `{base_url: "${upstream.baseUrl}", api_key: "${upstream.key}"}`
    const endless = `{upstream: far, name: ${upstreamModels.endless}, price: {input: 0, output: 0}}`
    product = await startProduct({ yaml: `upstreams:\n  far: ${far}\nmodels:\n  endless: ${endless}\n` })
  })
  after(async () => {
    await product?.stop()
    await upstream?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const json = { 'content-type': 'application/json' }
  const send = (path: string, { body, ...request }: { body?: object; method?: string; headers?: object } = {}) =>
    ask(product.port, {
      path: `/v1/parlance${path}`,
      ...request,
      headers: { ...json, ...request.headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  test('the commands of the documentation set the first owner up with the printed token, invite somebody and sign out', async () => {
    const token = /^ {2}Set-up {7}(setup-\w{48})$/m.exec(product.printed().stdout)?.[1]
    assert.ok(token !== undefined, product.printed().stdout)
    const [, commands = ''] = /```bash\n([\s\S]*?)```/.exec(page) ?? []
    const env = { PATH: process.env.PATH, BASE_URL: `${product.url}/v1`, SETUP_TOKEN: token }
    const { stdout } = await run('bash', ['-ec', commands], { cwd: folder, env })
    const objects = [
      ...stdout.matchAll(/"object":"(parlance\.session|organization\.invite|parlance\.session\.deleted)"/g),
    ]
    assert.deepEqual(
      objects.map(([, kind]) => kind),
      ['parlance.session', 'organization.invite', 'parlance.session.deleted'],
      stdout,
    )
    assert.equal(
      (await send('/setup', { body: { token, email: 'x@y.example', name: 'X', password: 'a long password' } })).status,
      400,
    )
  })

  test('the end of a sign-in ends its running stream within two seconds', async () => {
    const login = { email: 'ann@example.com', password: 'correct horse battery' }
    const reply = await send('/sessions', { body: login })
    const cookie = /^(parlance_session=[^;]+); .*HttpOnly; SameSite=Strict$/.exec(reply.header('set-cookie') ?? '')?.[1]
    assert.ok(cookie !== undefined, reply.body.toString())
    const headers = { ...json, cookie, 'x-parlance-csrf': '1' }
    using wire = await openWire(product.port)
    const body = JSON.stringify({ model: 'endless', messages: [{ role: 'user', content: 'Go on' }], stream: true })
    wire.write(encode({ path: '/v1/chat/completions', headers, body }))
    const streamed = wire.reply()
    while (upstream.requests.length === 0) await ask(product.port, { method: 'GET', path: '/health' })
    assert.equal((await send('/sessions/current', { method: 'DELETE', headers })).status, 200)
    const endedMs = performance.now()
    const { body: events } = await streamed
    assert.ok(performance.now() - endedMs < 2000)
    assert.match(events.toString().slice(-1000), /"code":"session_over"\}\}\n\n$/)
    await upstream.leftBy(1)
  })

  test('whoever has forgotten their password gets another one on the command line, beside the running server', async () => {
    const { code, stdout, stderr } = await runCommand([
      ...['members', 'password', 'ann@example.com'],
      ...['--data-dir', product.dataDir],
    ])
    assert.equal(code, 0, stderr)
    const signIn = (password: string) => send('/sessions', { body: { email: 'ann@example.com', password } })
    assert.equal((await signIn('correct horse battery')).status, 401)
    const reply = await signIn(stdout.trim())
    assert.equal(reply.status, 200)
    const cookie = /^[^;]+/.exec(reply.header('set-cookie') ?? '')?.[0] ?? ''
    const body = { current_password: stdout.trim(), password: 'correct horse battery' }
    const changed = await send('/users/me', { body, headers: { cookie, 'x-parlance-csrf': '1' } })
    assert.equal(changed.status, 200, changed.body.toString())
  })

  test('passwords and cookies are neither in the data folder nor in what was printed', async () => {
    const login = { email: 'ann@example.com', password: 'correct horse battery' }
    const reply = await send('/sessions', { body: login })
    const secret = /sess-\w{48}/.exec(reply.header('set-cookie') ?? '')?.[0] ?? ''
    const { stdout, stderr } = product.printed()
    for (const hidden of [secret, login.password]) assert.equal(`${stdout}${stderr}`.includes(hidden), false)
    const { stdout: found } = await run('grep', ['-rlFa', '-e', secret, '-e', login.password, product.dataDir]).catch(
      (error: { code: number; stdout: string }) => (error.code === 1 ? error : Promise.reject(error)),
    )
    assert.equal(found, '')
  })
})

test('a server that others can reach prints its set-up token only when it is asked to', {
  timeout: 60_000,
}, async () => {
  const key = 'sk-test-Qm3vX9pLw2RtZ7bNcK5yH8dJ4gF6sA1e'
  const env = { PARLANCE_HOST: '0.0.0.0', PARLANCE_BOOTSTRAP_KEY: key }
  for (const [args, prints] of [
    [[], false],
    [['--setup-token'], true],
  ] as const) {
    await using open = await startProduct({ env, args: [...args] })
    assert.equal(/setup-\w{48}/.test(open.printed().stdout), prints)
    await open.stop()
  }
})
