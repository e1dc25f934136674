import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../../bin/parlance.cjs', import.meta.url))
const readyTimeoutMs = 30_000
const exitTimeoutMs = 20_000
const outputLengthMax = 8 * 1024 * 1024

export interface ProductOptions {
  /** The text of parlance.yaml. */
  yaml?: string
  /** Settings of the environment, beside the ones every test needs. */
  env?: Record<string, string>
  /** Of `serve`. */
  args?: string[]
}

/** The product as a user runs it: its real command, in a process and a data folder of its own. */
export interface Product extends AsyncDisposable {
  /** `http://127.0.0.1:…`, without a path. */
  readonly url: string
  readonly port: number
  readonly version: string
  /** The key that this server knows. */
  readonly key: string
  readonly pid: number
  readonly dataDir: string
  /** All that was printed so far. */
  printed(): { stdout: string; stderr: string }
  /**
   * Asks the server to stop, as a service manager does, and removes its folder.
   * @param look at the data folder after the end and before it is gone
   * @throws AssertionError when the process did not end by itself with exit code 0
   */
  stop(look?: (dataDir: string) => Promise<void>): Promise<void>
  /** Ends it at once and without a question, unless it was stopped: for the case that a test fails before it does that. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A key that looks like a real one, so that masking and searching for it mean something. */
export const testKey = 'sk-test-Qm3vX9pLw2RtZ7bNcK5yH8dJ4gF6sA1e'

/** Starts the product and waits for its ready line. @throws Error with all that was printed, when there is none */
export async function startProduct({ yaml, env = {}, args = [] }: ProductOptions = {}): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-test-'))
  const dataDir = join(folder, 'data')
  const settings = join(folder, 'parlance.yaml')
  await writeFile(settings, yaml ?? '')
  const child = launch(['serve', ...args], folder, {
    PARLANCE_PORT: '0',
    PARLANCE_DATA_DIR: dataDir,
    PARLANCE_BOOTSTRAP_KEY: testKey,
    PARLANCE_CONFIG: settings,
    ...env,
  })
  const killWithUs = () => child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const printed = collect(child)
  const discard = async () => {
    process.off('exit', killWithUs)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const [version, url] = await ready(child, printed)
    return {
      url,
      version,
      port: Number(new URL(url).port),
      key: testKey,
      pid: child.pid!,
      dataDir,
      printed: () => ({ ...printed }),
      async stop(look) {
        try {
          await endCleanly(child, printed)
          await look?.(dataDir)
        } finally {
          await discard()
        }
      },
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL')
        await discard()
      },
    }
  } catch (error) {
    child.kill('SIGKILL')
    await discard()
    throw error
  }
}

/** Runs a command of the product to its end, in an empty folder. What is not set in `env` is not set at all. */
export async function runCommand(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null } & Printed> {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-test-'))
  const child = launch(args, folder, env)
  const printed = collect(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), readyTimeoutMs)
  await once(child, 'close')
  clearTimeout(timer)
  await rm(folder, { recursive: true, force: true })
  return { code: child.exitCode, ...printed }
}

function launch(args: string[], folder: string, env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [command, ...args], {
    cwd: folder,
    env: { HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

interface Printed {
  stdout: string
  stderr: string
}

function collect(child: ChildProcess): Printed {
  const printed: Printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      if (printed[name].length < outputLengthMax) printed[name] += text
    })
  }
  return printed
}

/** @returns version and address of the ready line */
async function ready(child: ChildProcess, printed: Printed): Promise<[version: string, url: string]> {
  const { promise, resolve, reject } = Promise.withResolvers<[string, string]>()
  const fail = (why: string) => reject(new Error(`${why}\nstdout: ${printed.stdout}\nstderr: ${printed.stderr}`))
  const timer = setTimeout(() => fail(`The product was not ready after ${readyTimeoutMs} ms.`), readyTimeoutMs)
  const look = () => {
    const [, version, url] = /^Parlance (\S+) listening on (http:\/\/\S+)$/m.exec(printed.stdout) ?? []
    if (version !== undefined && url !== undefined) resolve([version, url])
  }
  const ended = (code: number | null) => fail(`The product ended with exit code ${code} before it was ready.`)
  child.stdout!.on('data', look)
  child.once('error', reject)
  child.once('close', ended)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    child.stdout!.off('data', look)
    child.off('close', ended)
    child.off('error', reject)
  }
}

async function endCleanly(child: ChildProcess, printed: Printed): Promise<void> {
  const early = child.exitCode !== null || child.signalCode !== null
  if (!early) {
    const timer = setTimeout(() => child.kill('SIGKILL'), exitTimeoutMs)
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    await closed
    clearTimeout(timer)
  }
  const told = `\nstdout: ${printed.stdout.slice(-4000)}\nstderr: ${printed.stderr.slice(-4000)}`
  assert.ok(!early, `the product ended before it was asked to: exit code ${child.exitCode}, ${child.signalCode}${told}`)
  assert.equal(child.signalCode, null, `the product did not end within ${exitTimeoutMs} ms of SIGTERM${told}`)
  assert.equal(child.exitCode, 0, `the product did not end cleanly${told}`)
}
