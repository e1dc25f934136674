import { type ChildProcess, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { argumentsFor, type Settings } from './settings.ts'

/** Of what the server wrote, for the log. */
const wordsKeptMax = 4096
const lineLengthMax = 1000

/**
 * One running llama-server. It listens on the loopback interface alone, on a port that the system picks, and answers nobody who does not
 * know its key, which is made for this process and stands in its environment.
 */
export class ServerProcess {
  readonly #settings: Settings
  readonly #process: ChildProcess
  readonly #listening = Promise.withResolvers<string>()
  /** Settles with the reason when the process has ended, for whatever cause. */
  readonly gone: Promise<string>
  #words = ''
  #over = false
  #ending = false

  /** @param context tokens of one request */
  constructor(settings: Settings, context: number, key: string) {
    this.#settings = settings
    const [command, args] = watched(settings.binary, argumentsFor(settings, context))
    this.#process = spawn(command, args, {
      // The cache of prompts would take up to 8 GiB beside what the model takes.
      env: { LLAMA_ARG_CACHE_RAM: '0', ...settings.environment, LLAMA_API_KEY: key },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: a signal to the server's whole group (Ctrl+C) must not end the model before its requests.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.gone = new Promise(resolve => {
      this.#process.once('error', error => resolve(`it could not be started: ${error.message}`))
      this.#process.once('close', (code, signal) =>
        resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
      )
    })
    void this.gone.then(() => {
      this.#over = true
      this.#kill() // what watched it
    })
    this.#process.stdin?.on('error', () => undefined)
    for (const output of [this.#process.stdout, this.#process.stderr]) if (output) this.#read(output)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over
  }

  /** Whether we wanted it to. */
  get ending(): boolean {
    return this.#ending
  }

  /** The address, once the model is loaded. @throws Error with the reason when it ends before, or takes too long */
  async address(): Promise<string> {
    const { loadTimeoutMs } = this.#settings
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it took longer than ${loadTimeoutMs / 1000} s`)), loadTimeoutMs)
    })
    const ended = this.gone.then(reason => {
      throw new Error(this.#complaint() ?? `llama-server said nothing, ${reason}`)
    })
    try {
      return await Promise.race([this.#listening.promise, ended, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** The last of what it wrote, without paths. */
  lastWords(): string {
    const { file, mmproj, binary } = this.#settings
    return [file, mmproj, binary].reduce<string>(
      (words, path) => (path === undefined ? words : words.replaceAll(path, basename(path))),
      this.#words.trim(),
    )
  }

  /** Ends the process at once and waits for its end. */
  async end(): Promise<void> {
    this.#ending = true
    this.#kill()
    await this.gone
  }

  #kill(): void {
    const { pid } = this.#process
    this.#process.stdin?.destroy()
    if (pid === undefined) return
    if (process.platform === 'win32') this.#process.kill('SIGKILL')
    else killGroup(pid)
  }

  #read(output: Readable): void {
    createInterface({ input: output }).on('line', line => {
      this.#words = `${this.#words}${line.slice(0, lineLengthMax)}\n`.slice(-wordsKeptMax)
      const [, address] = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? []
      if (address !== undefined) this.#listening.resolve(address)
    })
  }

  /** Why it did not start, in its own words: the first line that tells of an error, since what follows repeats it. */
  #complaint(): string | undefined {
    const line = this.lastWords()
      .split('\n')
      .find(each => /\berror\b|\bfail|unable|invalid|unknown|not found|not supported|couldn't/i.test(each))
    return line?.replace(/^[\d.]*\s*[EWI]\s+/, '').replace(/^\w+: (error loading model: )?/, '')
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // It has ended already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/**
 * The command that runs the server and ends it with us, also when we are killed: a shell in its group reads from us, and what it waits
 * for comes when our end of the pipe closes. The shell that starts both becomes the server, so that its process is the one we see.
 * On Windows there is no such shell; there a server whose parent is killed stays.
 */
function watched(binary: string, args: string[]): [command: string, args: string[]] {
  if (process.platform === 'win32') return [binary, args]
  const script = 'exec 3<&0; { read -r _ <&3; kill -9 $$; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
  return ['/bin/sh', ['-c', script, 'llama-server', binary, ...args]]
}
