import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { Missing, nginx, portkey } from './upstream/rivals.ts'

/**
 * What does metering cost on the way to an upstream? Parlance as installed (key check, limits, ledger) and with limits of every kind,
 * beside a bare proxy, nginx and Portkey, in one run: requests per second on one core, processor time, time to the first chunk, a
 * thousand open streams and what they hold. See `bench/README.md` for the kit.
 */
const { values } = parseArgs({
  options: {
    kit: { type: 'string', default: '../shared/bench' },
    repeats: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    /** One of the cases alone. */
    only: { type: 'string' },
    /** Without rivals: the bare proxy and Parlance alone. */
    alone: { type: 'boolean', default: false },
    /** An older Node, for Portkey. */
    'old-node': { type: 'string', default: '/usr/bin/node' },
  },
})
const run = promisify(execFile)
const checkout = fileURLToPath(new URL('..', import.meta.url))
const key = 'sk-bench-0123456789'
/** Of Node, as in `npm start`. */
const asStarted = ['--max-semi-space-size=16']
const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
const upstreamUrl = 'http://127.0.0.1:9000'
const children: ChildProcess[] = []

interface Target {
  name: string
  port: number
  child?: ChildProcess
  headers?: string[]
  /** Of the process before the first request. */
  idleKib?: number
  /** It cannot stream. */
  onlyWhole?: boolean
}

/** The streams come first, so that what they hold is not mixed with what others have left behind. */
const cases = [
  { name: 'stream 1', args: ['--mode', 'stream', '--c', '1', '--chunks', '20', '--delay', '5'] },
  {
    name: 'stream 1000',
    args: [
      ...['--mode', 'stream', '--c', '1000', '--chunks', '40', '--delay', '100'],
      ...['--warmup', '2.5', '--ramp', '1.2'],
    ],
  },
  { name: 'closed 32', args: ['--mode', 'closed', '--c', '32'] },
]

interface Reading {
  perSecond: number
  cpuMicros: number
  firstMs: number
  chunkMs: number
  chunkP99Ms: number
  open: number
  kibPerStream: number
  failed: number
}

async function main(): Promise<void> {
  cpSync(values.kit, join(folder, 'kit'), { recursive: true })
  await run('chmod', ['-R', 'u+w', join(folder, 'kit')])
  await run('npm', ['install', '--no-package-lock'], { cwd: join(folder, 'kit') })
  await start(0, [process.execPath, 'kit/fake-upstream.mjs'], { PORT: '9000' }, 9000)
  const targets = await startTargets()
  await pause(1000)
  for (const target of targets) if (target.child !== undefined) target.idleKib = rssKib(target.child)
  console.log(`load of the machine ${loadavg()[0]!.toFixed(1)}; medians of ${values.repeats}\n`)
  const all = new Map<string, Map<string, Reading>>()
  for (const one of cases.filter(({ name }) => (values.only ?? name) === name)) {
    const concerned = targets.filter(({ onlyWhole }) => onlyWhole !== true || !one.name.startsWith('stream'))
    const readings = new Map<string, Reading[]>(concerned.map(({ name }) => [name, []]))
    for (const target of concerned) await measure(target, one.args) // so that the compiler is done
    for (let repeat = 0; repeat < Number(values.repeats); repeat++)
      for (const target of repeat % 2 === 0 ? concerned : concerned.toReversed())
        readings.get(target.name)!.push(await measure(target, one.args))
    const medians = new Map([...readings].map(([name, rounds]) => [name, medianOf(rounds)]))
    all.set(one.name, medians)
    print(one.name, medians)
  }
  printGoals(all)
}

async function startTargets(): Promise<Target[]> {
  const node = process.execPath
  const targets: Target[] = [{ name: 'direct', port: 9000 }]
  let ours = true
  const add = async (name: string, port: number, command: string[], env: Record<string, string>, more = {}) =>
    void targets.push({ name, port, child: await start(1, command, env, port, ours), ...more })
  await add('raw', 9101, [node, 'kit/raw-proxy.mjs'], { PORT: '9101', UPSTREAM: upstreamUrl })
  const models = ['fake', 'fake-s20-d5', 'fake-s40-d100'].map(
    name => `  ${name}: { upstream: kit, price: { input: 1, output: 2 } }\n`,
  )
  writeFileSync(
    join(folder, 'parlance.yaml'),
    `upstreams:\n  kit: { base_url: "${upstreamUrl}/v1", api_key: "sk-upstream" }\nmodels:\n${models.join('')}`,
  )
  const settings = (port: number) => ({
    PARLANCE_PORT: String(port),
    PARLANCE_DATA_DIR: join(folder, `data-${port}`),
    PARLANCE_CONFIG: join(folder, 'parlance.yaml'),
    PARLANCE_BOOTSTRAP_KEY: key,
  })
  await add('Parlance', 9102, [node, ...asStarted, join(checkout, 'bin/parlance.cjs'), 'serve'], settings(9102))
  const limited = [node, ...asStarted, join(checkout, 'bench/accounts/server.ts'), 'with limits']
  await add('Parlance, limits and budgets', 9103, limited, settings(9103))
  if (values.alone) return targets
  ours = false
  try {
    const { name, command, env } = await nginx(folder, 9104, upstreamUrl)
    await add(name, 9104, command, env)
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    console.log(`Without nginx: ${error.message}`)
  }
  try {
    const nodes = [{ node, port: 9105 }]
    const old = values['old-node']
    if (existsSync(old) && versionOf(old) !== versionOf(node)) nodes.push({ node: old, port: 9106 })
    for (const { name, port, command, env, headers } of await portkey(folder, nodes, upstreamUrl)) {
      await add(name, port, command, env, { headers })
      const target = targets.at(-1)!
      target.onlyWhole = !(await streams(target))
      if (target.onlyWhole) console.log(`${name} answers a stream with an error: measured without.`)
    }
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    console.log(`Without Portkey: ${error.message}`)
  }
  return targets
}

const versionOf = (node: string) => execFileSync(node, ['--version'], { encoding: 'utf8' })

/** Starts a program on a core and waits until it listens. */
async function start(
  core: number,
  command: string[],
  env: Record<string, string>,
  port: number,
  printsErrors = true,
): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', String(cpus().length > 1 ? core : 0), ...command], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ...env },
    stdio: ['ignore', 'ignore', printsErrors ? 'inherit' : 'ignore'],
  })
  children.push(child)
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${child.exitCode}.`)
    if (await listens(port)) return child
    await pause(100)
  }
  throw new Error(`${command.join(' ')} does not listen on ${port}.`)
}

const listens = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

const loadArgs = ({ port, headers = [] }: Target): string[] => [
  ...['-c', '0', process.execPath, 'kit/load.mjs', '--url', `http://127.0.0.1:${port}/v1/chat/completions`],
  ...[`Authorization: Bearer ${key}`, ...headers].flatMap(header => ['-H', header]),
]

/** What the kit's load driver prints; microseconds. */
interface Load {
  total: number
  totalChunks: number
  ok: number
  rps: number
  bad: number
  openMax?: number
  ttft?: { p50: number }
  chunk?: { p50: number; p99: number }
}

async function streams(target: Target): Promise<boolean> {
  const one = ['--mode', 'stream', '--c', '1', '--chunks', '20', '--delay', '5', '--duration', '1', '--warmup', '0']
  const { stdout } = await run('taskset', [...loadArgs(target), ...one], { cwd: folder })
  return (JSON.parse(stdout) as Load).ok > 0
}

async function measure(target: Target, args: string[]): Promise<Reading> {
  const { child, idleKib = 0 } = target
  const before = cpuMicros(child)
  let peakKib = 0
  const watching = setInterval(() => {
    peakKib = Math.max(peakKib, rssKib(child))
  }, 100)
  const { stdout } = await run('taskset', [...loadArgs(target), '--duration', values.seconds, ...args], { cwd: folder })
  clearInterval(watching)
  const { rps, bad, total, totalChunks, openMax = 0, ttft, chunk } = JSON.parse(stdout) as Load
  return {
    perSecond: rps,
    cpuMicros: (cpuMicros(child) - before) / Math.max(1, totalChunks || total),
    firstMs: (ttft?.p50 ?? 0) / 1000,
    chunkMs: (chunk?.p50 ?? 0) / 1000,
    chunkP99Ms: (chunk?.p99 ?? 0) / 1000,
    open: openMax,
    kibPerStream: openMax > 1 && child !== undefined ? (peakKib - idleKib) / openMax : 0,
    failed: bad,
  }
}

/** User and system time of a process with all its threads, in microseconds (clock ticks are 10 ms). */
function cpuMicros(child: ChildProcess | undefined): number {
  if (child?.pid === undefined) return 0
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

function rssKib(child: ChildProcess | undefined): number {
  if (child?.pid === undefined) return 0
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1] ?? 0)
}

function medianOf(readings: Reading[]): Reading {
  const median = (field: keyof Reading) =>
    readings.map(reading => reading[field]).toSorted((a, b) => a - b)[Math.floor(readings.length / 2)]!
  const fields = Object.keys(readings[0]!) as (keyof Reading)[]
  return Object.fromEntries(fields.map(field => [field, median(field)])) as unknown as Reading
}

function print(name: string, medians: Map<string, Reading>): void {
  const isStream = name.startsWith('stream')
  const raw = medians.get('raw')!
  const direct = medians.get('direct')!
  console.log(
    isStream
      ? `| ${name} | CPU µs per chunk | first chunk p50 ms | over direct | chunk p50 ms | chunk p99 ms | of raw's | open | KiB per stream | failed |\n|---|---|---|---|---|---|---|---|---|---|`
      : `| ${name} | requests/s | of raw's | CPU µs per request | of raw's | failed |\n|---|---|---|---|---|---|`,
  )
  for (const [target, one] of medians) {
    const { perSecond, cpuMicros: cpu, firstMs, chunkMs, chunkP99Ms, open, kibPerStream, failed } = one
    const row = isStream
      ? [
          ...[cpu.toFixed(1), firstMs.toFixed(2), (firstMs - direct.firstMs).toFixed(2), chunkMs.toFixed(2)],
          ...[chunkP99Ms.toFixed(2), (chunkP99Ms / raw.chunkP99Ms).toFixed(2), open, kibPerStream.toFixed(0), failed],
        ]
      : [
          ...[perSecond.toFixed(0), (perSecond / raw.perSecond).toFixed(2)],
          ...[cpu.toFixed(1), (cpu / raw.cpuMicros).toFixed(2), failed],
        ]
    console.log(`| ${target} | ${row.join(' | ')} |`)
  }
  console.log('')
}

/** What is wanted of Parlance, and what was seen. */
function printGoals(all: Map<string, Map<string, Reading>>): void {
  const of = (name: string, target: string) => all.get(name)?.get(target)
  console.log('| goal | wanted | as installed | limits and budgets |\n|---|---|---|---|')
  const goal = (what: string, wanted: string, seen: (target: string) => number | undefined, digits = 2) => {
    const cells = ['Parlance', 'Parlance, limits and budgets'].map(target => seen(target)?.toFixed(digits) ?? '')
    console.log(`| ${what} | ${wanted} | ${cells.join(' | ')} |`)
  }
  const rate = (target: string) => of('closed 32', target)?.perSecond
  const over = (one: number | undefined, other: number | undefined) =>
    one === undefined || other === undefined ? undefined : one / other
  const less = (one: number | undefined, other: number | undefined) =>
    one === undefined || other === undefined ? undefined : one - other
  goal('requests/s of the raw proxy', '≥ 0.6', target => over(rate(target), rate('raw')))
  for (const [name, least] of [
    ['Portkey, Node 20', 8],
    ['Portkey, Node 24', 4],
  ] as const)
    goal(`requests/s of ${name}`, `≥ ${least}`, target => over(rate(target), rate(name)))
  goal('requests/s of nginx', '≥ 0.26', target => over(rate(target), rate('nginx')))
  goal('CPU µs per request', '≤ 80', target => of('closed 32', target)?.cpuMicros, 1)
  const first = (target: string) => of('stream 1', target)?.firstMs
  goal('first chunk over direct, ms', '≤ 1.5', target => less(first(target), first('direct')))
  const slow = (target: string) => of('stream 1000', target)?.chunkP99Ms
  goal('chunk p99 of the raw proxy’s, 1,000 streams', '≤ 2', target => over(slow(target), slow('raw')))
  goal('KiB per open stream', '≤ 120', target => of('stream 1000', target)?.kibPerStream, 0)
}

// Whoever interrupts it wants nothing left behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    process.exit(1)
  })
try {
  await main()
} finally {
  for (const child of children.toReversed()) child.kill()
  await Promise.all(
    children.map(child => child.exitCode ?? child.signalCode ?? new Promise(end => child.once('exit', end))),
  )
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
