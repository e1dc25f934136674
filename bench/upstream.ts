import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

/**
 * What does metering cost on the way to an upstream? Parlance (key check, usage rows) against a bare proxy in one run: requests per
 * second on one core, CPU per request, added time to the first chunk, 1,000 open streams. See `bench/README.md` for the kit.
 */
const { values } = parseArgs({
  options: {
    kit: { type: 'string', default: '../shared/bench' },
    repeats: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
  },
})
const run = promisify(execFile)
const checkout = fileURLToPath(new URL('..', import.meta.url))
const key = 'sk-bench-0123456789'
const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
const children: ChildProcess[] = []

interface Case {
  name: string
  args: string[]
}
const cases: Case[] = [
  { name: 'closed 32', args: ['--mode', 'closed', '--c', '32', '--duration', values.seconds] },
  {
    name: 'stream 1',
    args: ['--mode', 'stream', '--c', '1', '--chunks', '20', '--delay', '5', '--duration', values.seconds],
  },
  {
    name: 'stream 1000',
    args: [
      '--mode',
      'stream',
      '--c',
      '1000',
      '--chunks',
      '40',
      '--delay',
      '100',
      '--duration',
      values.seconds,
      '--warmup',
      '2.5',
      '--ramp',
      '1.2',
    ],
  },
]

interface Reading {
  rps: number
  cpuMicros: number
  ttfcMs: number
  addedFirstMs: number
  openMax: number
  bad: number
  rssMiB: number
}

async function main(): Promise<void> {
  cpSync(values.kit, join(folder, 'kit'), { recursive: true })
  await run('chmod', ['-R', 'u+w', join(folder, 'kit')])
  await run('npm', ['install', '--no-package-lock'], { cwd: join(folder, 'kit') })
  await start(0, ['kit/fake-upstream.mjs'], { PORT: '9000' }, /fake upstream on/)
  const raw = await start(1, ['kit/raw-proxy.mjs'], { PORT: '9101', UPSTREAM: 'http://127.0.0.1:9000' })
  writeFileSync(
    join(folder, 'parlance.yaml'),
    `upstreams:\n  kit: { base_url: "http://127.0.0.1:9000/v1", api_key: "sk-upstream" }\nmodels:\n${['fake', 'fake-s20-d5', 'fake-s40-d100'].map(name => `  ${name}: { upstream: kit, price: { input: 1, output: 2 } }\n`).join('')}`,
  )
  const parlance = await start(
    1,
    [join(checkout, 'bin/parlance.cjs'), 'serve'],
    {
      PARLANCE_PORT: '9102',
      PARLANCE_DATA_DIR: join(folder, 'data'),
      PARLANCE_CONFIG: join(folder, 'parlance.yaml'),
      PARLANCE_BOOTSTRAP_KEY: key,
    },
    /listening on/,
  )
  const targets: [string, string, ChildProcess | undefined][] = [
    ['direct', '9000', undefined],
    ['raw', '9101', raw],
    ['parlance', '9102', parlance],
  ]
  for (const { name, args } of cases) {
    const readings = new Map<string, Reading[]>(targets.map(([target]) => [target, []]))
    for (let repeat = 0; repeat < Number(values.repeats); repeat++)
      for (const [target, port, child] of targets) readings.get(target)!.push(await measure(port, args, child))
    print(name, readings)
  }
}

/** Starts a Node program on one core and waits for its line, or for half a second where it prints none. */
async function start(core: number, args: string[], env: Record<string, string>, ready?: RegExp): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', String(cpus().length > 1 ? core : 0), process.execPath, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  if (ready === undefined) await new Promise(resolve => setTimeout(resolve, 500))
  else for await (const line of createInterface({ input: child.stdout })) if (ready.test(line)) break
  child.stdout.resume()
  return child
}

async function measure(port: string, args: string[], child: ChildProcess | undefined): Promise<Reading> {
  const before = cpuMicros(child)
  const { stdout } = await run(
    'taskset',
    [
      '-c',
      '0',
      process.execPath,
      'kit/load.mjs',
      '--url',
      `http://127.0.0.1:${port}/v1/chat/completions`,
      '-H',
      `Authorization: Bearer ${key}`,
      ...args,
    ],
    { cwd: folder },
  )
  const result = JSON.parse(stdout) as {
    total: number
    totalChunks: number
    rps: number
    bad: number
    openMax?: number
    ttft?: { p50: number }
    first?: { p50: number }
  }
  return {
    rps: result.rps,
    cpuMicros: (cpuMicros(child) - before) / Math.max(1, result.totalChunks || result.total),
    ttfcMs: (result.ttft?.p50 ?? 0) / 1000,
    addedFirstMs: (result.first?.p50 ?? 0) / 1000,
    openMax: result.openMax ?? 0,
    bad: result.bad,
    rssMiB: child === undefined ? 0 : rssMiB(child),
  }
}

/** User and system time of a process with all its threads, in microseconds (clock ticks are 10 ms). */
function cpuMicros(child: ChildProcess | undefined): number {
  if (child?.pid === undefined) return 0
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

function rssMiB(child: ChildProcess): number {
  const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))
  return Math.round(Number(match?.[1] ?? 0) / 1024)
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

function print(name: string, readings: Map<string, Reading[]>): void {
  const value = (target: string, field: keyof Reading) => median(readings.get(target)!.map(reading => reading[field]))
  for (const target of readings.keys())
    console.log(
      `| ${name} | ${target} | ${value(target, 'rps')} | ${(value(target, 'rps') / value('raw', 'rps')).toFixed(2)} | ${value(target, 'cpuMicros').toFixed(1)} | ${value(target, 'ttfcMs').toFixed(2)} | ${value(target, 'addedFirstMs').toFixed(2)} | ${value(target, 'openMax')} | ${value(target, 'bad')} | ${value(target, 'rssMiB')} |`,
    )
}

console.log(
  '| case | target | req/s | of raw | CPU µs per request or chunk | first chunk p50 ms | added to first chunk p50 ms | open | failed | RSS MiB |',
)
console.log('|---|---|---|---|---|---|---|---|---|---|')
try {
  await main()
} finally {
  for (const child of children.toReversed()) child.kill()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
