import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { variants } from './accounts/variants.ts'

/**
 * What do key check, limits and ledger add to a request? The same server three times, in front of an upstream that costs nothing:
 * without the three, with them as installed, and with limits of every kind. Processor time of the whole process with all its threads,
 * per request; the three alternate, and medians are compared. See `bench/README.md` for the kit.
 */
const { values } = parseArgs({
  options: {
    kit: { type: 'string', default: '../shared/bench' },
    repeats: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '32' },
  },
})
const kit = resolve(values.kit)
const run = promisify(execFile)
const serverFile = fileURLToPath(new URL('accounts/server.ts', import.meta.url))
const key = 'sk-bench-0123456789'
const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
const children: ChildProcess[] = []

async function main(): Promise<void> {
  await start(0, [join(kit, 'fake-upstream.mjs')], { PORT: '9000' }, /fake upstream on/)
  const settings = join(folder, 'parlance.yaml')
  writeFileSync(
    settings,
    'upstreams:\n  kit: { base_url: "http://127.0.0.1:9000/v1", api_key: "sk-upstream" }\nmodels:\n  fake: { upstream: kit, price: { input: 1, output: 2 } }\n',
  )
  const servers = new Map<string, [port: string, child: ChildProcess]>()
  for (const [number, variant] of variants.entries()) {
    const port = String(9200 + number)
    const env = {
      PARLANCE_PORT: port,
      PARLANCE_DATA_DIR: join(folder, variant),
      PARLANCE_CONFIG: settings,
      PARLANCE_BOOTSTRAP_KEY: key,
      PARLANCE_LOG_REQUESTS: 'false',
    }
    servers.set(variant, [port, await start(1, [serverFile, variant], env, /listening/)])
  }
  for (const [port] of servers.values()) await load(port, 2) // warm
  const readings = new Map<string, number[]>(variants.map(variant => [variant, []]))
  for (let repeat = 0; repeat < Number(values.repeats); repeat++)
    for (const [variant, [port, child]] of servers) {
      const before = cpuMicros(child)
      const requests = await load(port, Number(values.seconds))
      readings.get(variant)!.push((cpuMicros(child) - before) / requests)
    }
  const [bare = 0] = variants.map(variant => median(readings.get(variant)!))
  console.log(`load of the machine ${loadavg()[0]!.toFixed(1)}\n`)
  console.log('| server | CPU µs per request | added | rounds |\n|---|---|---|---|')
  for (const [variant, all] of readings) {
    const rounds = all.map(micros => micros.toFixed(1)).join(' ')
    console.log(`| ${variant} | ${median(all).toFixed(1)} | ${(median(all) - bare).toFixed(1)} | ${rounds} |`)
  }
}

/** @returns how many requests were answered with success */
async function load(port: string, seconds: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/v1/chat/completions`
  const args = ['--mode', 'closed', '--c', values.clients, '--duration', String(seconds), '--warmup', '0']
  const command = [join(kit, 'load.mjs'), '--url', url, '-H', `Authorization: Bearer ${key}`, ...args]
  const { stdout } = await run('taskset', ['-c', '0', process.execPath, ...command])
  const { total, bad } = JSON.parse(stdout) as { total: number; bad: number }
  if (bad > 0) throw new Error(`${bad} requests failed: ${stdout.slice(0, 1000)}`)
  return total
}

/** Starts a Node program on one core and waits for its line. */
async function start(core: number, args: string[], env: Record<string, string>, ready: RegExp): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', String(cpus().length > 1 ? core : 0), process.execPath, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) if (ready.test(line)) break
  child.stdout.resume()
  return child
}

/** User and system time of a process with all its threads, in microseconds (clock ticks are 10 ms). */
function cpuMicros({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

try {
  await main()
} finally {
  for (const child of children.toReversed()) child.kill()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
