import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { seededRandom } from '../src/lib/random.ts'
import { endTokens, halfBillionFile, plainTokens, tokenLength } from './half-billion.ts'

/**
 * Is a local model as fast behind Parlance as behind llama.cpp's own server? Both hold the same file, with the same threads, slots and
 * context; the driver asks one, then the other. `LLAMA_SERVER_BIN` names the server; see `bench/README.md` for how to build it.
 */
const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    slots: { type: 'string', default: '16' },
    prompt: { type: 'string', default: '128' },
    tokens: { type: 'string', default: '64' },
    temperature: { type: 'string', default: '1' },
    streams: { type: 'string', default: '1,8,16' },
    only: { type: 'string', default: 'rates,reuse' },
    wait: { type: 'string', default: '0.7' },
  },
})
const slots = Number(values.slots)
const promptTokens = Number(values.prompt)
const replyTokens = Number(values.tokens)
const longReply = replyTokens * 4
const context = promptTokens + longReply + 128
const counts = values.streams.split(',').map(Number)
const model = 'half-billion'
const key = 'sk-bench-0123456789'
const checkout = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
const connections = new Agent({ connections: 64, pipelining: 1 })
const random = seededRandom(17)
const children: ChildProcess[] = []
let ended = false

interface Target {
  name: string
  base: string
  /** What this server needs to sample as the other does. */
  more: object
  /** The longest delay and hold of its event loop since it was last asked. */
  loop?(): Promise<Loop>
}

interface Loop {
  delayMs: number
  heldMs: number
}

/** One streamed reply: when its texts came, and how many tokens had come by then. */
interface Stream {
  sentMs: number
  marks: { atMs: number; tokens: number }[]
  endMs: number
}

async function main(): Promise<void> {
  const file = values.model ?? (await halfBillionFile())
  const targets = [await startParlance(file), await startLlamaServer(file)]
  for (const target of targets) await stream(target, { prompt: promptTokens, length: 8 })
  const asked = values.only.split(',')
  if (asked.includes('rates')) await compareRates(targets)
  if (asked.includes('reuse')) await compareReuse(targets)
}

async function startParlance(file: string): Promise<Target> {
  writeFileSync(
    join(folder, 'parlance.yaml'),
    `models:\n  ${model}: { file: ${JSON.stringify(file)}, context: ${context}, slots: ${slots}, threads: ${values.threads} }\n`,
  )
  const probe = fileURLToPath(new URL('loop.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', probe, join(checkout, 'bin/parlance.cjs'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      PARLANCE_PORT: '0',
      PARLANCE_DATA_DIR: join(folder, 'data'),
      PARLANCE_CONFIG: join(folder, 'parlance.yaml'),
      PARLANCE_BOOTSTRAP_KEY: key,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const [, base = ''] = await new Lines(child.stdout).find(/listening on (http:\/\/\S+)/)
  const errors = new Lines(child.stderr)
  const loop = async (): Promise<Loop> => {
    child.kill('SIGUSR2')
    return JSON.parse((await errors.find(/^bench-loop (.*)$/))[1] ?? '')
  }
  return { name: 'parlance', base, more: {}, loop }
}

async function startLlamaServer(file: string): Promise<Target> {
  const binary = process.env.LLAMA_SERVER_BIN
  if (binary === undefined) throw new Error('LLAMA_SERVER_BIN names no llama-server: see bench/README.md.')
  const sizes = ['-np', `${slots}`, '-c', `${context * slots}`, '-t', values.threads, '-tb', values.threads]
  const child = spawn(
    binary,
    ['-m', file, '--alias', model, '--host', '127.0.0.1', '--port', '0', ...sizes, '--no-ui', '--cache-ram', '0'],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LLAMA_API_KEY: key } },
  )
  children.push(child)
  child.stdout.resume()
  const [, base = ''] = await new Lines(child.stderr).find(/listening on (http:\/\/\S+)/)
  return { name: 'llama-server', base, more: { top_k: 0, min_p: 0 } }
}

/** What a program prints, line by line. */
class Lines {
  readonly #last: string[] = []
  #closed = false
  #waiting: { pattern: RegExp; resolve(found: RegExpExecArray): void; reject(error: Error): void } | undefined

  constructor(output: NodeJS.ReadableStream) {
    const lines = createInterface({ input: output })
    lines.on('line', text => {
      this.#last.splice(0, this.#last.push(text) - 20)
      const found = this.#waiting?.pattern.exec(text)
      if (!found) return
      this.#waiting?.resolve(found)
      this.#waiting = undefined
    })
    lines.on('close', () => {
      this.#closed = true
      if (this.#waiting) this.#waiting.reject(this.#end())
      else if (!ended) console.error(this.#end().message)
    })
  }

  /** The next line that matches. */
  find(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(this.#end())
      else this.#waiting = { pattern, resolve, reject }
    })
  }

  #end(): Error {
    return new Error(`A server ended. It said:\n${this.#last.join('\n')}`)
  }
}

/** Asks for a streamed completion of random tokens that goes on to its limit. */
async function stream(target: Target, asked: { prompt: number; length: number; began?(): void }): Promise<Stream> {
  const [first, end] = plainTokens
  const prompt = Array.from({ length: asked.prompt }, () => first + (random.uint32() % (end - first)))
  const sentMs = performance.now()
  const { statusCode, body } = await request(`${target.base}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    dispatcher: connections,
    body: JSON.stringify({
      model,
      prompt,
      max_tokens: asked.length,
      temperature: Number(values.temperature),
      top_p: 1,
      seed: random.uint32() >>> 1,
      logit_bias: Object.fromEntries(endTokens.map(token => [token, -100])),
      stream: true,
      stream_options: { include_usage: true },
      ...target.more,
    }),
  })
  if (statusCode !== 200) throw new Error(`${target.name} answered ${statusCode}: ${await body.text()}`)
  const marks: Stream['marks'] = []
  let characters = 0
  let rest = ''
  let generated = 0
  for await (const bytes of body) {
    const events = `${rest}${bytes}`.split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      if (!event.startsWith('data: {')) continue
      const { choices, usage, error } = JSON.parse(event.slice(6))
      if (error !== undefined) throw new Error(`${target.name}: ${JSON.stringify(error)}`)
      generated = usage?.completion_tokens ?? generated
      const text = choices[0]?.text ?? ''
      if (text === '') continue
      if (marks.length === 0) asked.began?.()
      characters += text.length
      marks.push({ atMs: performance.now(), tokens: Math.round(characters / tokenLength) })
    }
  }
  if (generated !== asked.length) throw new Error(`${target.name} generated ${generated} tokens, not ${asked.length}.`)
  return { sentMs, marks, endMs: marks.at(-1)!.atMs }
}

interface Rates {
  /** Generated tokens per second, from the first request to the last token. */
  total: number
  /** The same while all streams run, their prompts done. */
  steady: number
  firstMs: number
  delayMs: number
  heldMs: number
}

async function compareRates(targets: Target[]): Promise<void> {
  console.log(
    '| streams | server | tokens/s | of llama-server | steady tokens/s | of llama-server | first token ms | of llama-server | loop delay ms | loop held ms |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const count of counts) {
    const rates = new Map<string, Rates[]>(targets.map(({ name }) => [name, []]))
    for (let repeat = 0; repeat < Number(values.repeats); repeat++)
      for (const target of inTurn(targets, repeat)) rates.get(target.name)!.push(await measure(target, count))
    for (const name of rates.keys()) printRates(count, name, rates)
  }
}

async function measure(target: Target, count: number): Promise<Rates> {
  await calm()
  await target.loop?.()
  const began = performance.now()
  // One alone is over soon: several in a row make one measurement.
  const rounds = Math.max(1, Math.round(4 / count))
  const all: Stream[][] = []
  for (let round = 0; round < rounds; round++)
    all.push(
      await Promise.all(
        Array.from({ length: count }, () => stream(target, { prompt: promptTokens, length: replyTokens })),
      ),
    )
  const seconds = (performance.now() - began) / 1000
  const loop = await target.loop?.()
  return {
    total: (rounds * count * replyTokens) / seconds,
    steady: median(all.map(steadyRate)),
    firstMs: median(all.flat().map(({ sentMs, marks }) => marks[0]!.atMs - sentMs)),
    delayMs: loop?.delayMs ?? 0,
    heldMs: loop?.heldMs ?? 0,
  }
}

/** Tokens per second while all streams run: from the last first token to the first end. */
function steadyRate(streams: Stream[]): number {
  const fromMs = Math.max(...streams.map(({ marks }) => marks[0]!.atMs))
  const toMs = Math.min(...streams.map(({ endMs }) => endMs))
  const had = ({ marks }: Stream, atMs: number) => marks.findLast(mark => mark.atMs <= atMs)?.tokens ?? 0
  return (streams.reduce((sum, one) => sum + had(one, toMs) - had(one, fromMs), 0) * 1000) / (toMs - fromMs)
}

interface Reuse {
  gapMs: number
  stepMs: number
}

/** All slots but one are busy for long; short requests take the last one after another, the next always waiting. */
async function compareReuse(targets: Target[]): Promise<void> {
  const found = new Map<string, Reuse[]>(targets.map(({ name }) => [name, []]))
  for (let repeat = 0; repeat < Number(values.repeats); repeat++)
    for (const target of inTurn(targets, repeat)) found.get(target.name)!.push(...(await reuse(target)))
  console.log('| server | slot reused after ms | of which one decoding step | waited beyond it, median | worst |')
  console.log('|---|---|---|---|---|')
  for (const [name, gaps] of found) {
    const beyond = gaps.map(({ gapMs, stepMs }) => gapMs - stepMs)
    console.log(
      `| ${name} | ${median(gaps.map(({ gapMs }) => gapMs)).toFixed(0)} | ${median(gaps.map(({ stepMs }) => stepMs)).toFixed(0)} | ${median(beyond).toFixed(0)} | ${Math.max(...beyond).toFixed(0)} |`,
    )
  }
}

async function reuse(target: Target): Promise<Reuse[]> {
  await calm()
  const begun: Promise<void>[] = []
  const long = Array.from({ length: slots - 1 }, () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    begun.push(promise)
    return stream(target, { prompt: 8, length: longReply, began: resolve })
  })
  await Promise.all(begun)
  const short: Stream[] = await Promise.all(Array.from({ length: 8 }, () => stream(target, { prompt: 2, length: 8 })))
  const steady = await Promise.all(long)
  const order = short.toSorted((a, b) => a.endMs - b.endMs)
  return order.slice(1).map((next, i) => {
    const fromMs = order[i]!.endMs
    return { gapMs: next.marks[0]!.atMs - fromMs, stepMs: stepAt(steady[0]!, fromMs) }
  })
}

/** How long one step took about this time: the usual distance of two tokens of a stream that ran through. */
function stepAt({ marks }: Stream, atMs: number): number {
  const near = marks.filter(mark => Math.abs(mark.atMs - atMs) < 2000)
  return median(
    near.slice(1).map((mark, i) => (mark.atMs - near[i]!.atMs) / Math.max(1, mark.tokens - near[i]!.tokens)),
  )
}

function printRates(count: number, name: string, rates: Map<string, Rates[]>): void {
  const value = (who: string, field: keyof Rates) => median(rates.get(who)!.map(one => one[field]))
  // Of readings that were taken one after the other: what disturbs both is left out.
  const ratio = (field: keyof Rates) =>
    name === 'llama-server'
      ? ''
      : median(rates.get(name)!.map((one, i) => one[field] / rates.get('llama-server')![i]![field])).toFixed(2)
  const range = (field: keyof Rates) => {
    const sorted = rates
      .get(name)!
      .map(one => one[field])
      .sort((a, b) => a - b)
    return `${value(name, field).toFixed(1)} (${sorted[0]!.toFixed(0)} to ${sorted.at(-1)!.toFixed(0)})`
  }
  const worst = (field: keyof Rates) =>
    name === 'llama-server' ? '' : Math.max(...rates.get(name)!.map(one => one[field])).toFixed(1)
  console.log(
    `| ${count} | ${name} | ${range('total')} | ${ratio('total')} | ${range('steady')} | ${ratio('steady')} | ${range('firstMs')} | ${ratio('firstMs')} | ${worst('delayMs')} | ${worst('heldMs')} |`,
  )
}

/** Waits, at most for a minute, until others leave the machine alone. What the last measurement did counts too, and fades. */
async function calm(): Promise<void> {
  const until = performance.now() + 60_000
  while (busyOthers() > Number(values.wait) && performance.now() < until)
    await new Promise(resolve => setTimeout(resolve, 1000))
}

let cpuBefore = cpuTimes()

/** Cores that were busy since the last look, without this process: the servers are idle while it is asked. */
function busyOthers(): number {
  const now = cpuTimes()
  const share = ((now.busy - cpuBefore.busy) / Math.max(1, now.all - cpuBefore.all)) * availableParallelism()
  cpuBefore = now
  return share
}

function cpuTimes(): { busy: number; all: number } {
  const times = cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({ busy: user + nice + sys + irq, idle }))
  const busy = times.reduce((sum, one) => sum + one.busy, 0)
  return { busy, all: times.reduce((sum, one) => sum + one.idle, busy) }
}

/** First the one, then the other. */
const inTurn = (targets: Target[], repeat: number) => (repeat % 2 === 0 ? targets : targets.toReversed())

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

const end = () => {
  ended = true
  for (const child of children) child.kill('SIGKILL')
}
process.once('exit', end)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
try {
  console.error(
    `load ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')}`,
  )
  await main()
  console.error(
    `load ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')}`,
  )
} finally {
  end()
  await connections.destroy()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
