import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { runCommand, startProduct } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'

describe('the command line', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parlance-commands-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('help and version say what they should', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.deepEqual(await runCommand(['version']), { code: 0, stdout: `${version}\n`, stderr: '' })
    const help = await runCommand(['help'])
    assert.equal(help.code, 0)
    for (const word of ['serve', 'keys create', 'doctor', '--port']) assert.ok(help.stdout.includes(word), word)
  })

  test('a wrong command is told so in one line, with exit code 2', async () => {
    const { code, stdout, stderr } = await runCommand(['swerve'])
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^parlance: There is no command 'swerve'\. .*\n$/)
  })

  for (const [name, yaml, says] of [
    ['an unknown setting', 'host: 127.0.0.1\nprot: 80\n', /parlance\.yaml:2: unknown setting `prot`/],
    ['a wrong type', '\nport: many\n', /parlance\.yaml:2: `port` must be integer/],
    [
      'a model without a file',
      'models:\n  mine: {}\n',
      /parlance\.yaml:2: `models\.mine` needs either `file` .* or `upstream`/,
    ],
    [
      'an unknown upstream',
      'models:\n  mine: { upstream: nobody }\n',
      /parlance\.yaml:2: `models\.mine` names the upstream `nobody`/,
    ],
    [
      'a missing environment variable',
      'upstreams:\n  a:\n    base_url: http://a.example/v1\n    api_key: ${NOBODY_SET_THIS}\n',
      /parlance\.yaml:4: the environment variable NOBODY_SET_THIS/,
    ],
    ['an alias that leads nowhere', 'aliases: { gpt-4: nobody }\n', /alias gpt-4 → nobody leads to no model/],
    ['no YAML', 'port: [1\n', /parlance\.yaml:\d: /],
  ] as const)
    test(`a settings file with ${name} is refused with the place and no stack`, async () => {
      const file = join(folder, 'parlance.yaml')
      await writeFile(file, yaml)
      const { code, stdout, stderr } = await runCommand(['serve'], {
        PARLANCE_CONFIG: file,
        PARLANCE_DATA_DIR: join(folder, 'unused'),
      })
      assert.deepEqual([code, stdout], [1, ''], stderr)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n\s+at /)
    })

  test('an address that others can reach needs a key first', async () => {
    const env = { PARLANCE_DATA_DIR: join(folder, 'open'), PARLANCE_HOST: '0.0.0.0', PARLANCE_PORT: '0' }
    const { code, stdout, stderr } = await runCommand(['serve'], env)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /there is no key yet/)
  })

  test('one data folder has one server, and keys are made and revoked beside it', async () => {
    await using product = await startProduct({ yaml: await smallModelSettings() })
    const env = { PARLANCE_DATA_DIR: product.dataDir }
    const second = await runCommand(['serve'], { ...env, PARLANCE_PORT: '0' })
    assert.equal(second.code, 1, second.stdout)
    assert.match(second.stderr, /data folder|another/i)
    assert.doesNotMatch(second.stderr, /\n\s+at /)

    const made = await runCommand(['keys', 'create', '--name', 'beside'], env)
    assert.equal(made.code, 0, made.stderr)
    const [key] = /sk-\w{48}/.exec(made.stdout) ?? []
    const models = async () =>
      (await ask(product.port, { method: 'GET', path: '/v1/models', headers: { authorization: `Bearer ${key}` } }))
        .status
    assert.equal(await models(), 200)

    const { stdout: list } = await runCommand(['keys', 'list'], env)
    const [id] = /key_\w+(?=.*beside)/.exec(list) ?? []
    assert.ok(id !== undefined && !list.includes(key!), list)
    assert.equal((await runCommand(['keys', 'revoke', id], env)).code, 0)
    const started = performance.now()
    while ((await models()) === 200) assert.ok(performance.now() - started < 3000, 'a revoked key works on')
    assert.equal((await runCommand(['keys', 'revoke', id], env)).code, 1)
    await product.stop()
  })

  test('a running stream ends whole after SIGTERM, while new requests are refused', async () => {
    await using product = await startProduct({ yaml: await smallModelSettings() })
    const headers = { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' }
    const body =
      '{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Hi"}],"max_tokens":600,"stream":true,"temperature":0}'
    using streaming = await openWire(product.port)
    using kept = await openWire(product.port)
    kept.write(encode({ method: 'GET', path: '/v1/models', headers }))
    assert.equal((await kept.reply()).status, 200)
    streaming.write(encode({ path: '/v1/chat/completions', headers, body }))
    const reply = streaming.reply()
    await ask(product.port, { method: 'GET', path: '/health' }) // by then the stream is under way
    const stopped = product.stop()
    kept.write(encode({ method: 'GET', path: '/v1/models', headers }))
    const refused = await kept.reply().catch(() => undefined)
    if (refused !== undefined) {
      assert.ok([200, 503].includes(refused.status))
      if (refused.status === 503) assert.equal(errorOf(refused).code, 'shutting_down')
    }
    const { status, body: events } = await reply
    assert.equal(status, 200)
    assert.ok(events.toString().endsWith('data: [DONE]\n\n'), events.toString().slice(-300))
    await stopped
  })
})
