import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { runCommand, startProduct } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'

describe('the command line', { timeout: 120_000 }, () => {
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

  for (const [name, yaml, says] of [
    ['an unknown setting', 'host: 127.0.0.1\nprot: 80\n', /parlance\.yaml:2: unknown setting `prot`/],
    ['a wrong type', '\nport: many\n', /parlance\.yaml:2: `port` must be integer/],
    [
      'a model without a file',
      'models:\n  mine: {}\n',
      /parlance\.yaml:2: `models\.mine` needs either `file` .*, `upstream` or `targets`/,
    ],
    [
      'an unknown upstream',
      'models:\n  mine: { upstream: nobody }\n',
      /parlance\.yaml:2: `models\.mine` names the upstream `nobody`/,
    ],
    [
      'a missing environment variable',
      `upstreams:\n  a:\n    base_url: http://a.example/v1\n    api_key: \${NOBODY_SET_THIS}\n`,
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

  test('a running stream ends whole after SIGTERM, and nothing new begins', async () => {
    await using product = await startProduct({ yaml: await smallModelSettings() })
    const headers = { authorization: `Bearer ${product.key}`, 'content-type': 'application/json' }
    const body =
      '{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Hi"}],"max_tokens":3000,"stream":true,"temperature":0}'
    using streaming = await openWire(product.port)
    using kept = await openWire(product.port)
    kept.write(encode({ method: 'GET', path: '/v1/models', headers }))
    assert.equal((await kept.reply()).status, 200)
    streaming.write(encode({ path: '/v1/chat/completions', headers, body }))
    const reply = streaming.reply()
    await ask(product.port, { method: 'GET', path: '/health' }) // by then the stream is under way
    const stopped = product.stop()
    while (!product.printed().stdout.includes('Stopping')) await turn()
    kept.write(encode({ method: 'GET', path: '/v1/models', headers }))
    const refused = await kept.reply().catch(() => undefined) // closed, or told why
    const [{ status, body: events }] = await Promise.all([reply, stopped])
    if (refused !== undefined) assert.equal(errorOf(refused).code, 'shutting_down')
    assert.equal(status, 200, events.toString())
    assert.ok(events.toString().endsWith('data: [DONE]\n\n'), events.toString().slice(-300))
  })
})
