import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bytesOf, stored, tinyModel } from '../models/make.ts'
import { errorOf } from '../support/errors.ts'
import { type Hub, startHub } from '../support/hub.ts'
import { type Product, runCommand, startProduct, testKey } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'

const command = fileURLToPath(new URL('../../bin/parlance.cjs', import.meta.url))

describe('`parlance pull` and `parlance models`', { timeout: 120_000 }, () => {
  let hub: Hub
  let folder = ''
  const models = () => join(folder, 'models')
  const parlance = (...args: string[]) => runCommand(args, { PARLANCE_DATA_DIR: folder, PARLANCE_HUB_URL: hub.url })
  before(async () => {
    hub = await startHub()
    folder = await mkdtemp(join(tmpdir(), 'parlance-models-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
    await hub[Symbol.asyncDispose]()
  })

  test('Ctrl+C leaves the part, and the same command goes on', async () => {
    hub.stallAfter(100_000)
    const child = spawn(process.execPath, [command, 'pull', 'acme/tiny-GGUF'], {
      env: { HOME: folder, PARLANCE_DATA_DIR: folder, PARLANCE_HUB_URL: hub.url },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let told = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text
      if (/60 % of 0.2 MB\n$/.test(told)) child.kill('SIGINT') // a second signal would end it at once
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 130, told)
    assert.match(told, /^tiny-Q8_0\.gguf, 162\.\d kB, as tiny-Q8_0$/m)
    assert.match(told, /Stopped\. The same command goes on from here\.\n$/)
    assert.deepEqual((await readdir(models())).sort(), ['tiny-Q8_0.gguf.part', 'tiny-Q8_0.gguf.part.json'])
    hub.stallAfter(undefined)
    const { code: again, stdout, stderr } = await parlance('pull', 'acme/tiny-GGUF')
    assert.equal(again, 0, stderr)
    assert.match(stdout, /^Pulled tiny-Q8_0 \(.*llama, .*checksum right\)\.\n$/)
    assert.deepEqual(hub.ranges, [undefined, 'bytes=100000-'])
    assert.ok((await readFile(join(models(), 'tiny-Q8_0.gguf'))).equals(hub.model))
    assert.deepEqual(await readdir(models()), ['tiny-Q8_0.gguf'])
  })

  test('what a stopped pull has left is removed under the name of the model', async () => {
    await writeFile(join(models(), 'half.gguf.part'), 'GGUF')
    await writeFile(join(models(), 'half.gguf.part.json'), '{}')
    assert.match((await parlance('models', 'rm', 'half')).stdout, /^Removed what was pulled of half so far\.\n$/)
    assert.deepEqual(await readdir(models()), ['tiny-Q8_0.gguf'])
  })

  test('models are listed, shown, copied without taking room, and removed', async () => {
    await writeFile(join(models(), 'broken.gguf'), 'GGUF')
    const { stdout: list } = await parlance('models')
    for (const line of [
      /^parlance-tiny-1 +\d+\.\d MB +llama +\d+ +\S+ +built in$/m,
      /^parlance-embed-1 +.* vectors +built in$/m,
      /^tiny-Q8_0 +162\.\d kB +llama +4096 +Q8_0 +data folder$/m,
      /^broken +4 bytes +unusable +data folder$/m,
    ])
      assert.match(list, line)
    assert.match((await parlance('models', 'show', 'tiny-Q8_0')).stdout, /^architecture +llama$/m)
    assert.equal((await parlance('models', 'cp', 'tiny-Q8_0', 'gpt-4')).code, 0)
    const [one, other] = await Promise.all(['tiny-Q8_0', 'gpt-4'].map(name => stat(join(models(), `${name}.gguf`))))
    assert.equal(one?.ino, other?.ino)
    for (const name of ['tiny-Q8_0', 'broken']) assert.equal((await parlance('models', 'rm', name)).code, 0)
    assert.deepEqual(await readdir(models()), ['gpt-4.gguf'])
  })

  for (const [args, says] of [
    [['models', 'rm', 'parlance-tiny-1'], /not in the data folder \(built in\)/],
    [['models', 'rm', '../parlance'], /There is no model/],
    [['models', 'rm', 'none'], /There is no model 'none'/],
    [['models', 'cp', 'gpt-4', '../evil'], /cannot be the name of a model/],
    [['models', 'cp', 'gpt-4', 'parlance-tiny-1'], /There is a model 'parlance-tiny-1' already/],
    [['models', 'cp', 'gpt-4'], /Use it so: `parlance models cp NAME NEW`/],
    [['models', 'move'], /There is no `models move`/],
    [['pull'], /Which model\?/],
    [['pull', 'acme/none'], /there is no acme\/none/],
    [['pull', 'acme/tiny-GGUF', '--name', 'gpt-4'], /There is a model 'gpt-4' already/],
  ] as const)
    test(`\`parlance ${args.join(' ')}\` is refused with words`, async () => {
      const { code, stdout, stderr } = await parlance(...args)
      assert.notEqual(code, 0)
      assert.equal(stdout, '')
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n\s+at /)
    })
})

describe('DELETE /v1/models/{model}', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    const file = await stored(bytesOf(tinyModel()))
    product = await startProduct({
      yaml: `models: { configured: { file: ${JSON.stringify(file)} } }\naliases: { other: configured }\n`,
    })
    await mkdir(join(product.dataDir, 'models'), { mode: 0o700 })
    await copyFile(file, join(product.dataDir, 'models', 'mine.gguf'))
  })
  after(() => product.stop())

  const auth = () => ({ authorization: `Bearer ${product.key}` })
  const send = (method: string, path: string, headers: Record<string, string> = auth()) =>
    ask(product.port, { method, path, headers })

  for (const [name, key, status, says] of [
    ['mine', 'sk-wrong', 401, /Incorrect API key/],
    ['mine', undefined, 401, /API key/],
    ['parlance-tiny-1', testKey, 403, /built in or named by the settings/],
    ['configured', testKey, 403, /built in or named by the settings/],
    ['other', testKey, 403, /another name of `configured`/],
    ['gpt-4', testKey, 403, /another name of `parlance-tiny-1`/],
    ['none', testKey, 404, /does not exist/],
    ['..%2Fparlance.db', testKey, 404, /does not exist/],
  ] as const)
    test(`of ${name} ${key === testKey ? '' : 'without the right key '}is a ${status}`, async () => {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
      const reply = await send('DELETE', `/v1/models/${name}`, headers)
      assert.equal(reply.status, status)
      assert.match(errorOf(reply).message, says)
    })

  test('of a model of the data folder ends its requests, removes the file and answers in OpenAI’s form', async () => {
    while ((await send('GET', '/v1/models/mine')).status !== 200) await turn() // it is looked for once a second
    using streaming = await openWire(product.port)
    const body =
      '{"model":"mine","messages":[{"role":"user","content":"Hi"}],"max_tokens":3000,"stream":true,"temperature":0}'
    streaming.write(
      encode({ path: '/v1/chat/completions', headers: { ...auth(), 'content-type': 'application/json' }, body }),
    )
    const stream = streaming.reply()
    while (product.printed().stderr.split('model.loaded').length < 2) await turn()
    const reply = await send('DELETE', '/v1/models/mine')
    assert.equal(reply.status, 200, reply.body.toString())
    assert.deepEqual(JSON.parse(reply.body.toString()), { id: 'mine', object: 'model', deleted: true })
    assert.match((await stream).body.toString(), /"code":"model_closed"/)
    assert.deepEqual(await readdir(join(product.dataDir, 'models')), [])
    for (const [method, path] of [
      ['GET', '/v1/models/mine'],
      ['DELETE', '/v1/models/mine'],
    ] as const)
      assert.equal((await send(method, path)).status, 404)
    assert.doesNotMatch((await send('GET', '/v1/models')).body.toString(), /"mine"/)
  })
})
