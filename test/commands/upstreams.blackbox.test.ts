import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

const program = fileURLToPath(new URL('../../bin/parlance.cjs', import.meta.url))

describe('parlance upstream and parlance route', { timeout: 240_000 }, () => {
  let fake: Upstream
  let product: Product
  let client: OpenAI
  before(async () => {
    fake = await startUpstream()
    product = await startProduct({
      yaml: `upstreams:\n  fixed: { base_url: "${fake.baseUrl}", api_key: ${fake.key} }\n`,
    })
    client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
  })
  after(async () => {
    await product?.stop()
    await fake?.close()
  })

  interface Given {
    /** What comes in through standard input. */
    input?: string
    env?: Record<string, string>
  }

  async function parlance(line: string, { input = '', env = {} }: Given = {}) {
    const child = spawn(process.execPath, [program, ...line.split(' ')], {
      cwd: product.dataDir,
      env: { HOME: product.dataDir, PARLANCE_DATA_DIR: product.dataDir, ...env },
      stdio: 'pipe',
    })
    child.stdin.end(input)
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    assert.ok(!`${stdout}${stderr}`.includes(fake.key), 'the key is told to nobody')
    assert.ok(!stderr.includes('\r'), 'nothing moves where nobody watches')
    return { code: child.exitCode, stdout, stderr }
  }
  const done = async (line: string, more?: Given) => {
    const { code, stdout, stderr } = await parlance(line, more)
    assert.equal(code, 0, `${line}: ${stdout}${stderr}`)
    return stdout
  }
  const json = async (line: string) => JSON.parse(await done(`${line} --json`))
  const listed = async () => (await client.models.list()).data.map(({ id }) => id)
  const chat = (model: string) =>
    client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 5 })

  test('an upstream with a key from standard input is added, tried and shown, and its key is not', async () => {
    const { code, stdout, stderr } = await parlance(`upstream add east --base-url ${fake.baseUrl} --api-key-stdin`, {
      input: `${fake.key}\n`,
    })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^NAME +KIND +ADDRESS[^\n]*\neast +openai-compatible +http:\/\/127\.0\.0\.1:\d+\/v1 +here/)
    assert.match(stderr, /It answers\. 3 models: upstream-chat-0613, .*\nNext: `parlance route add MODEL --to east`/)
    const shown = await json('upstream show east')
    assert.deepEqual([shown.name, shown.source, shown.health.state], ['east', 'store', 'ready'])
    assert.deepEqual(shown.model_list, fake.models)
    assert.match(await done('upstream show east'), /\n {2}upstream-embed-002\n$/)
  })

  test('one that cannot be reached is added all the same, and why is said', async () => {
    const { code, stderr } = await parlance('upstream add away --base-url http://127.0.0.1:9/v1')
    assert.equal(code, 0)
    assert.match(stderr, /Nothing listens at http:\/\/127\.0\.0\.1:9.*\nIt is added all the same/)
    const tried = await parlance('upstream test away')
    assert.deepEqual(tried.code, 1)
    assert.match(tried.stdout, /\nconnect +failed +\d+ +Nothing listens/)
    assert.match(tried.stderr, /away does not work yet: connect failed/)
    await done('upstream rm away')
  })

  test('a test goes from the name to the usage of a stream, and its exit code says how it went', async () => {
    const ok = await parlance(`upstream test east --model ${upstreamModels.chat}`)
    assert.deepEqual([ok.code, ok.stderr], [0, 'east works.\n'])
    const steps = ok.stdout.split('\n').flatMap(line => line.split(/ {2,}/)[0] || [])
    assert.deepEqual(steps, ['STEP', 'resolve', 'connect', 'key', 'models', 'chat', 'stream', 'usage'])
    assert.equal((await parlance('upstream test east --model nobody')).code, 1)
    const report = await json('upstream test fixed')
    assert.deepEqual([report.object, report.upstream, report.ok], ['parlance.upstream_test', 'fixed', true])
  })

  test('exposed models can be asked by their names there, and come and go with the list', async () => {
    assert.ok(!(await listed()).includes(upstreamModels.chat))
    await done('upstream set east --expose all --input 0')
    await done('upstream test east')
    assert.ok((await listed()).includes(upstreamModels.chat))
    assert.equal((await client.models.retrieve(upstreamModels.chat)).owned_by, 'east')
    assert.equal((await chat(upstreamModels.chat)).model, upstreamModels.chat)
    const { models } = fake
    fake.models = ['another']
    await done('upstream test east')
    assert.ok((await listed()).includes('another') && !(await listed()).includes(upstreamModels.chat))
    await assert.rejects(chat(upstreamModels.chat), { status: 404 })
    await assert.rejects(client.models.delete('another'), { status: 403 })
    fake.models = models
    await done('upstream test east')
    await done('upstream set east --expose none --input none')
    assert.ok(!(await listed()).includes(upstreamModels.chat))
  })

  test('what requests meet shows in the health of an upstream', async () => {
    const { stdout } = await parlance(
      `upstream add strict --expose upstream-chat-0613 --input 0 --refresh 0s --base-url ${fake.baseUrl} --api-key-env WRONG`,
      { env: { WRONG: 'sk-wrong-wrong-wrong' } },
    )
    assert.match(stdout, /strict/)
    await assert.rejects(chat(upstreamModels.chat), { status: 502, code: 'upstream_refused_key' })
    const { health } = await json('upstream show strict')
    assert.equal(health.state, 'failed')
    await done('upstream rm strict')
  })

  test('a route leads to one upstream or several, and is gone when it is removed', async () => {
    await done(`route add words --to east/${upstreamModels.chat} --input 0.15 --output 0.6`)
    assert.equal((await chat('words')).model, upstreamModels.chat)
    const made = await done(
      `route add many --to east/${upstreamModels.chat}=3 --to fixed/${upstreamModels.chat} --policy weighted --input 0`,
    )
    assert.match(made, /\nmany +east\/upstream-chat-0613=3, fixed\/upstream-chat-0613 +weighted +input 0\.00 +here/)
    assert.equal((await chat('many')).model, upstreamModels.chat)
    assert.deepEqual(
      (await json('route list')).map(({ model }: { model: string }) => model),
      ['words', 'many'],
    )
    assert.match(await done('route show many'), /target +\{"upstream":"east"/)
    const used = await parlance('upstream rm east')
    assert.equal(used.code, 1)
    assert.match(used.stderr, /used by the routes/)
    for (const model of ['words', 'many']) await done(`route rm ${model}`)
    await assert.rejects(chat('words'), { status: 404 })
  })

  test('a route without a price says so', async () => {
    const { stderr } = await parlance('route add free --to east')
    assert.match(stderr, /Without a price it cannot be called/)
    await done('route rm free')
  })

  for (const [line, says] of [
    ['upstream add', /Use it so: `parlance upstream add NAME`/],
    ['upstream add x', /Where is it\? Name its --base-url/],
    ['upstream add x --base-url http://a/v1 --api-key sk-1', /history of the shell/],
    ['upstream add x --base-url http://a/v1 --api-key-env NOT_THERE', /The environment has no NOT_THERE/],
    ['upstream add x --base-url http://a/v1 --api-key-stdin', /Nothing came from standard input/],
    ['upstream add x --base-url http://a/v1 --api-key-stdin --api-key-env A', /one of them is enough/],
    ['upstream add x --kind vlm', /--kind is one of/],
    ['upstream add x --kind azure --base-url http://a --entra-tenant t', /--entra-client/],
    ['upstream add x --base-url http://a/v1 --output 1', /needs --input/],
    ['upstream add x --base-url http://a/v1 --port 1', /Unknown option '--port'/],
    ['upstream set east', /What shall be another\?/],
    ['upstream nothing', /There is no `upstream nothing`: use list, add, set, show, test or rm/],
    ['upstream show nobody', /There is no upstream 'nobody'.*`parlance upstream list`/],
    ['upstream test nobody', /There is no upstream 'nobody'/],
    ['upstream rm nobody', /There is no upstream 'nobody'/],
    ['route add m', /Who answers for it\?/],
    ['route add m --to /x', /--to is UPSTREAM/],
    ['route add m --to east --policy best', /--policy is one of/],
    ['route show nobody', /There is no route 'nobody'/],
    ['route rm nobody', /There is no route 'nobody'/],
  ] as const)
    test(`is told what to write instead: parlance ${line}`, async () => {
      const { code, stdout, stderr } = await parlance(line)
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n\s+at /)
    })

  for (const [line, says] of [
    ['upstream rm fixed', /'fixed' is set under `upstreams` in parlance\.yaml/],
    ['upstream set fixed --expose all', /parlance\.yaml/],
    ['upstream add fixed --base-url http://a/v1', /'fixed' is taken/],
    ['upstream add x --base-url ftp://a', /base_url/],
    ['route add m --to nobody', /nobody/],
  ] as const)
    test(`is refused with words: parlance ${line}`, async () => {
      const { code, stdout, stderr } = await parlance(line)
      assert.deepEqual([code, stdout], [1, ''], stderr)
      assert.match(stderr, says)
    })

  test('help says all of it', async () => {
    assert.match(await done('help upstream'), /--api-key-stdin/)
    assert.match(await done('help route'), /--policy/)
    assert.match(await done('help'), /upstream list\|add/)
  })
})

test('the models of the last list are there at once after a restart, while the upstream is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-upstreams-'))
  let fake: Upstream | undefined = await startUpstream()
  const yaml = `upstreams:\n  up: { base_url: "${fake.baseUrl}", api_key: ${fake.key}, expose: all }\n`
  const started = () => startProduct({ yaml, env: { PARLANCE_DATA_DIR: join(folder, 'data') } })
  const has = async ({ url, key: apiKey }: Product) => {
    const { data } = await new OpenAI({ baseURL: `${url}/v1`, apiKey }).models.list()
    return data.some(({ id, owned_by: owner }) => id === upstreamModels.chat && owner === 'up')
  }
  try {
    await using first = await started()
    while (!(await has(first))); // it is asked within some two seconds
    await first.stop()
    await fake.close()
    fake = undefined
    await using second = await started()
    assert.ok(await has(second))
    await second.stop()
  } finally {
    await fake?.close()
    await rm(folder, { recursive: true, force: true })
  }
})
