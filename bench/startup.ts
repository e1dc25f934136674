import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { request } from 'undici'

/**
 * How long does a newcomer wait? From `npm start` in a fresh data folder to the ready line and to the first streamed token of the
 * built-in model; then the first token of warm short chats, and what an idle process weighs.
 */
const { values } = parseArgs({
  options: { repeats: { type: 'string', default: '5' }, chats: { type: 'string', default: '20' } },
})
const checkout = fileURLToPath(new URL('..', import.meta.url))
const key = 'sk-bench-0123456789'

interface Reading {
  readyMs: number
  idleMiB: number
  coldTokenMs: number
  warmTokenMs: number
  childMiB: number
}

async function measure(): Promise<Reading> {
  const folder = mkdtempSync(join(tmpdir(), 'parlance-bench-'))
  const started = performance.now()
  const child = spawn('npm', ['start', '--silent'], {
    cwd: checkout,
    env: { ...process.env, PARLANCE_PORT: '0', PARLANCE_DATA_DIR: folder, PARLANCE_BOOTSTRAP_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  try {
    const base = await readyAddress(child)
    const readyMs = performance.now() - started
    const server = serverPid(child.pid!)
    await new Promise(resolve => setTimeout(resolve, 1000))
    const idleMiB = rssMiB(server)
    const pauseMs = performance.now() - started - readyMs
    await firstToken(base)
    const coldTokenMs = performance.now() - started - pauseMs
    const warm: number[] = []
    for (let chat = 0; chat < Number(values.chats); chat++) warm.push(await firstToken(base))
    return {
      readyMs,
      idleMiB,
      coldTokenMs,
      warmTokenMs: median(warm),
      childMiB: childrenOf(server).reduce((sum, pid) => sum + rssMiB(pid), 0),
    }
  } finally {
    process.kill(-child.pid!, 'SIGTERM')
    await new Promise(resolve => child.once('exit', resolve))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

async function readyAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const match = /^Parlance \S+ listening on (http:\/\/\S+)$/.exec(line)
    if (match) return match[1]!
  }
  throw new Error('The server ended before it was ready.')
}

/** Milliseconds from sending a short chat to the first piece of its answer; the answer is read to its end. */
async function firstToken(base: string): Promise<number> {
  const sent = performance.now()
  const { body } = await request(`${base}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'gpt-3.5-turbo',
      stream: true,
      max_tokens: 16,
      messages: [{ role: 'user', content: 'Hello!' }],
    }),
  })
  let seen = 0
  let text = ''
  for await (const bytes of body) {
    text += bytes
    if (seen === 0 && /"content":"[^"]/.test(text)) seen = performance.now() - sent
  }
  if (seen === 0) throw new Error(`No token in: ${text.slice(0, 300)}`)
  return seen
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number)

/** npm starts a shell, which starts the server: the last in the line whose command is Node on our entry. */
function serverPid(root: number): number {
  const line = readFileSync(`/proc/${root}/cmdline`, 'latin1')
  if (line.includes('bin/parlance.cjs') && line.startsWith('node')) return root
  for (const child of childrenOf(root)) {
    const found = serverPid(child)
    if (found !== 0) return found
  }
  return 0
}

const rssMiB = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024)
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

const readings: Reading[] = []
for (let repeat = 0; repeat < Number(values.repeats); repeat++) readings.push(await measure())
const value = (field: keyof Reading) => median(readings.map(reading => reading[field])).toFixed(0)
console.log(
  '| ready line ms | cold start to first token ms | warm first token p50 ms | idle main process MiB | model process MiB |',
)
console.log('|---|---|---|---|---|')
console.log(
  `| ${value('readyMs')} | ${value('coldTokenMs')} | ${value('warmTokenMs')} | ${value('idleMiB')} | ${value('childMiB')} |`,
)
