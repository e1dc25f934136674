import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import type { Call, Engine } from '../src/engines/engine.ts'
import { routedEngine } from '../src/engines/routed/index.ts'
import type { PolicyName } from '../src/engines/routed/policies.ts'
import { systemClock } from '../src/lib/clock.ts'
import { silentLog } from '../src/lib/log.ts'
import { systemRandom } from '../src/lib/random.ts'
import { systemTimers } from '../src/lib/timers.ts'

/**
 * What does a choice between two upstreams cost a request? First the choice alone, over engines that answer at once: nanoseconds of this
 * thread's processor time. Then, with `--kit`, the server's processor time per request to a model with one upstream and to routed ones,
 * alternating.
 */
const { values } = parseArgs({
  options: {
    kit: { type: 'string' },
    repeats: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
  },
})
const variants: { name: string; policy: PolicyName; sticky?: boolean }[] = [
  { name: 'priority', policy: 'priority' },
  { name: 'weighted', policy: 'weighted' },
  { name: 'sticky', policy: 'weighted', sticky: true },
  { name: 'latency', policy: 'latency' },
]
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

await choiceAlone()
if (values.kit !== undefined) await wholeServer(values.kit)

async function choiceAlone(): Promise<void> {
  const bytes = Buffer.from('{}')
  const target: Engine = {
    name: 'target',
    abilities: new Set(['chat']),
    accepts: 'everything',
    async *chat() {},
    relay: async (_path, _request, { meter }) => {
      meter.input(20, 0)
      meter.output(30)
      return { kind: 'json', bytes }
    },
    status: () => ({ state: 'ready' }),
    close: async () => {},
  }
  const call: Call = {
    id: 'chatcmpl-bench',
    created: 1,
    signal: new AbortController().signal,
    meter: { input() {}, output() {} },
    log: silentLog,
    tenant: 'org-bench',
    seed: 1,
  }
  const request = { model: 'm', messages: [{ role: 'user', content: 'Say hello to the benchmark, please.' }] }
  const engines: [name: string, engine: Engine][] = [
    ['one upstream', target],
    ...variants.map(({ name, ...rest }): [string, Engine] => [
      name,
      routedEngine({
        name: 'm',
        targets: ['east', 'west'].map(upstream => ({ engine: target, upstream, model: 'm' })),
        ...{ clock: systemClock, timers: systemTimers, random: systemRandom, log: silentLog },
        ...rest,
      }),
    ]),
  ]
  const readings = new Map<string, number[]>(engines.map(([name]) => [name, []]))
  for (let round = 0; round < 12; round++)
    for (const [name, engine] of engines) {
      const before = process.threadCpuUsage()
      for (let time = 0; time < 20_000; time++) await engine.relay!('/chat/completions', request, call)
      const { user, system } = process.threadCpuUsage(before)
      if (round > 2) readings.get(name)!.push(((user + system) * 1000) / 20_000)
    }
  console.log('| the choice alone | ns | more |\n|---|---|---|')
  const one = median(readings.get('one upstream')!)
  for (const [name, times] of readings)
    console.log(`| ${name} | ${Math.round(median(times))} | ${Math.round(median(times) - one)} |`)
}

async function wholeServer(kit: string): Promise<void> {
  const run = promisify(execFile)
  const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
  const children: ChildProcess[] = []
  const key = 'sk-bench-0123456789'
  const start = async (core: number, args: string[], env: Record<string, string>, ready: RegExp) => {
    const pinned = String(cpus().length > 1 ? core : 0)
    const child = spawn('taskset', ['-c', pinned, process.execPath, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    for await (const line of createInterface({ input: child.stdout })) if (ready.test(line)) break
    child.stdout.resume()
    return child
  }
  try {
    cpSync(kit, join(folder, 'kit'), { recursive: true })
    writeFileSync(join(folder, 'parlance.yaml'), settings())
    const ports = ['9000', '9001']
    for (const PORT of ports) await start(0, ['kit/fake-upstream.mjs'], { PORT }, /fake upstream on/)
    const server = await start(
      1,
      [fileURLToPath(new URL('../bin/parlance.cjs', import.meta.url)), 'serve'],
      {
        PARLANCE_PORT: '9102',
        PARLANCE_DATA_DIR: join(folder, 'data'),
        PARLANCE_CONFIG: join(folder, 'parlance.yaml'),
        PARLANCE_BOOTSTRAP_KEY: key,
      },
      /listening on/,
    )
    const load = ['--url', 'http://127.0.0.1:9102/v1/chat/completions', '-H', `Authorization: Bearer ${key}`]
    const shape = ['--mode', 'closed', '--c', '32', '--duration', values.seconds]
    const names = ['one', ...variants.map(({ name }) => name)]
    const readings = new Map<string, { cpuMicros: number; rps: number; bad: number }[]>(names.map(name => [name, []]))
    for (let repeat = 0; repeat <= Number(values.repeats); repeat++)
      for (const name of names) {
        const before = cpuMicros(server)
        const args = ['-c', '0', process.execPath, 'kit/load.mjs', ...load, ...shape, '--model', name]
        const { stdout } = await run('taskset', args, { cwd: folder })
        const { total, rps, bad } = JSON.parse(stdout) as { total: number; rps: number; bad: number }
        if (repeat > 0) readings.get(name)!.push({ cpuMicros: (cpuMicros(server) - before) / total, rps, bad })
      }
    console.log('| model | req/s | CPU µs per request | more | failed |\n|---|---|---|---|---|')
    const cpu = (name: string) => median(readings.get(name)!.map(reading => reading.cpuMicros))
    for (const [name, all] of readings)
      console.log(
        `| ${name} | ${median(all.map(({ rps }) => rps))} | ${cpu(name).toFixed(1)} | ${(cpu(name) - cpu('one')).toFixed(1)} | ${all.reduce((sum, { bad }) => sum + bad, 0)} |`,
      )
  } finally {
    for (const child of children.toReversed()) child.kill()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

function settings(): string {
  const price = 'price: { input: 1, output: 2 }'
  const targets = 'targets: [{ upstream: east, name: fake }, { upstream: west, name: fake }]'
  const routed = variants.map(
    ({ name, policy, sticky = false }) => `  ${name}: { policy: ${policy}, sticky: ${sticky}, ${targets}, ${price} }\n`,
  )
  return `upstreams:
  east: { base_url: "http://127.0.0.1:9000/v1", api_key: "sk-upstream" }
  west: { base_url: "http://127.0.0.1:9001/v1", api_key: "sk-upstream" }
models:
  one: { upstream: east, name: fake, ${price} }
${routed.join('')}`
}

/** User and system time of a process with all its threads, in microseconds (clock ticks are 10 ms). */
function cpuMicros({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
