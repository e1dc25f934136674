/** Another program locks the database, as a backup or a curious operator does, while clients go on. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type Product, runCommand, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream, upstreamModels } from '../support/upstream.ts'

const lockedMs = 30_000
/** Before and after. */
const freeMs = 1500
const clients = 12
const price = { input: 3, output: 7 }

const settings = (upstream: Upstream) => `
upstreams:
  partner: { base_url: ${upstream.baseUrl}, api_key: "\${PARTNER_KEY}" }
models:
  team-chat: { upstream: partner, name: ${upstreamModels.chat}, price: { input: ${price.input}, output: ${price.output} } }
  team-embed: { upstream: partner, name: ${upstreamModels.embed}, price: { input: ${price.input} } }
`

/** What clients were told that they have used. */
class Told {
  requests = 0
  input = 0
  output = 0
  streamed = 0

  add({ prompt_tokens: input, completion_tokens: output = 0 }: { prompt_tokens: number; completion_tokens?: number }) {
    this.requests++
    this.input += input
    this.output += output
  }
}

async function ask(client: OpenAI, number: number, told: Told): Promise<void> {
  const messages = [{ role: 'user' as const, content: `Question ${number}` }]
  const common = { model: 'team-chat', messages, max_tokens: 1 + (number % 20), seed: number }
  if (number % 3 === 0) {
    const { usage } = await client.chat.completions.create(common)
    told.add(usage!)
  } else if (number % 3 === 1) {
    const stream = await client.chat.completions.create({
      ...{ ...common, stream: true },
      stream_options: { include_usage: true },
    })
    let finish: string | null = null
    for await (const { choices, usage } of stream) {
      finish = choices[0]?.finish_reason ?? finish
      if (usage) told.add(usage)
    }
    assert.ok(finish === 'stop' || finish === 'length', `${finish}`)
    told.streamed++
  } else told.add((await client.embeddings.create({ model: 'team-embed', input: `Text ${number}` })).usage)
}

/** Holds the lock from when the promise settles until `free` settles. */
async function lock(file: string): Promise<{ free: Promise<void>; end(): void }> {
  const program = fileURLToPath(new URL('./locker.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [program, file, String(lockedMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const locked = Promise.withResolvers<void>()
  const free = Promise.withResolvers<void>()
  let said = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.includes('locked')) locked.resolve()
    if (said.includes('free')) free.resolve()
  })
  child.once('close', code => {
    const early = new Error(`The program that locks ended with ${code} after '${said}'.`)
    locked.reject(early)
    free.reject(early)
  })
  await locked.promise
  return { free: free.promise, end: () => child.kill('SIGKILL') }
}

/** Limits and credit, so wide that they refuse nobody: what they cost is paid. */
async function limit(client: OpenAI, command: (...args: string[]) => Promise<string>): Promise<void> {
  await command('credit', 'grant', '100000')
  await command('credit', 'on')
  const { organization } = client.admin
  await organization.spendLimit.update({ threshold_amount: 9_000_000, currency: 'USD', interval: 'month' })
  const project = (await organization.projects.list()).data[0]!
  for await (const { id, model } of organization.projects.rateLimits.listRateLimits(project.id))
    if (model.startsWith('team-'))
      await organization.projects.rateLimits.updateRateLimit(id, {
        project_id: project.id,
        max_requests_per_1_minute: 10_000_000,
        max_tokens_per_1_minute: 1_000_000_000,
      })
}

test('the database is locked for 30 s under load: no request fails, and nothing is lost', {
  timeout: 180_000,
}, async t => {
  const upstream = await startUpstream()
  await using product: Product = await startProduct({ yaml: settings(upstream), env: { PARTNER_KEY: upstream.key } })
  const client = new OpenAI({
    ...{ apiKey: product.key, adminAPIKey: product.key, baseURL: `${product.url}/v1` },
    ...{ maxRetries: 0, timeout: 20_000 },
  })
  const command = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(args, { PARLANCE_DATA_DIR: product.dataDir })
    assert.equal(code, 0, stderr)
    return stdout
  }
  await limit(client, command)
  const [secret] = /sk-[\w-]+/.exec(await command('keys', 'create')) ?? []
  /** Of a key that nobody has used before the lock. */
  const unused = client.withOptions({ apiKey: secret! })
  const told = new Told()
  const failed: string[] = []
  let isOver = false
  let asked = 0
  let slowestMs = 0
  let isLocked = false
  const work = async () => {
    while (!isOver) {
      const startedMs = performance.now()
      await ask(isLocked && asked % 2 === 0 ? unused : client, asked++, told).catch((error: unknown) =>
        failed.push(String(error)),
      )
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
    }
  }
  const working = Array.from({ length: clients }, work)
  await wait(freeMs)
  const before = told.requests
  const locking = await lock(join(product.dataDir, 'parlance.db'))
  isLocked = true
  try {
    await locking.free
  } finally {
    locking.end()
    t.diagnostic(`${told.requests - before} requests while it was locked, the slowest took ${Math.round(slowestMs)} ms`)
    await wait(freeMs)
    isOver = true
    await Promise.all(working)
    await upstream.close()
  }
  assert.deepEqual(failed.slice(0, 5), [], `${failed.length} of ${asked} failed`)
  assert.ok(told.requests - before > 1000, `${told.requests - before}`)
  await product.stop(async dataDir => compare(dataDir, told))
})

/** What stands in the database, against what clients were told: to the token and the nano-dollar. */
async function compare(dataDir: string, told: Told): Promise<void> {
  const store: Store = await openStore({ dataDir, clock: systemClock, log: silentLog })
  try {
    const rows = await store.read.selectFrom('usage').selectAll().execute()
    const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((all, row) => all + of(row), 0)
    assert.deepEqual([...new Set(rows.map(({ status }) => status))], ['ok'])
    assert.deepEqual(
      [rows.length, sum(row => row.input_tokens), sum(row => row.output_tokens)],
      [told.requests, told.input, told.output],
    )
    const costNano = 1000 * (price.input * told.input + price.output * told.output)
    assert.equal(
      sum(row => row.cost_nano),
      costNano,
    )
    const grants = await store.read.selectFrom('credit_grants').select('used_nano').execute()
    assert.equal(
      grants.reduce((all, { used_nano: used }) => all + used, 0),
      costNano,
      'credit',
    )
  } finally {
    await store.close()
  }
}
