import { type ChildProcess, fork } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Fault, fault } from '../../lib/faults.ts'
import { describe as describeError } from '../../lib/log.ts'
import { residentBytes } from '../../lib/memory.ts'
import { compileCacheDir, sibling } from '../../lib/modules.ts'
import type { EngineStatus } from '../engine.ts'
import { Feed } from './feed.ts'
import { type Description, describeFile } from './file.ts'
import type {
  ChatMessage,
  CompleteMessage,
  EncodeMessage,
  FromChild,
  LoadedMessage,
  Refusal,
  ToChild,
} from './protocol.ts'
import type { Settings } from './settings.ts'

/** A file that did not load is left alone so long. */
export const retryAfterMs = 30_000
/** Megabytes of JavaScript objects in the process of a model; its weights are not among them. */
const heapMegabytes = 512
const stderrBytesMax = 4096

/** The server's side of the process of one model: starts it when it is needed, hands requests over, and notices its end. */
export class Host {
  readonly #settings: Settings
  #state: EngineStatus['state'] = 'idle'
  #detail: string | undefined
  #running: Promise<Running> | undefined
  #child: Child | undefined
  #failedAt = Number.NEGATIVE_INFINITY
  #nextId = 1
  #read: { readonly version: string; readonly description: Description } | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What the file says, once it was read. */
  get description(): Description | undefined {
    return this.#read?.description
  }

  /** What the process takes. What lies in a GPU is not told: there the estimate stands for all of it. */
  get bytes(): number {
    const bytes = this.#child?.bytes ?? 0
    return bytes === 0 || this.#settings.gpu === false ? bytes : Math.max(bytes, this.description?.memoryBytes ?? 0)
  }

  /** What the process will take; undefined for a file that cannot be used, of which `load` tells why. */
  async estimateBytes(): Promise<number | undefined> {
    if (this.#isLeftAlone()) return undefined
    return this.#describe().then(
      ({ memoryBytes }) => memoryBytes,
      () => undefined,
    )
  }

  status(): EngineStatus {
    return this.#detail === undefined ? { state: this.#state } : { state: this.#state, detail: this.#detail }
  }

  /** Starts the process unless it runs. @throws fault.modelLoadFailed */
  async load(): Promise<Running> {
    if (this.#state === 'closed') throw fault.modelClosed(this.#settings.name)
    if (this.#running === undefined && this.#isLeftAlone())
      throw fault.modelLoadFailed(this.#settings.name, this.#detail ?? 'unknown reason')
    this.#running ??= this.#start()
    return this.#running
  }

  /**
   * Hands a request over.
   * @param refused what the caller is told when the process of the model refuses the request
   * @throws fault.modelLoadFailed
   */
  async open(request: Asked, refused: (refusal: Refusal) => Fault): Promise<Job> {
    const { child, description } = await this.load()
    const id = this.#nextId++
    const feed = new Feed(what => child.send({ type: what, id }))
    child.open.set(id, { feed, refused })
    child.send({ ...request, id })
    return {
      feed,
      description,
      finish() {
        child.open.delete(id)
      },
      cancel() {
        if (child.open.delete(id)) child.send({ type: 'cancel', id })
        feed.close()
      },
    }
  }

  /** Ends the process; it starts again with the next request. */
  async unload(): Promise<void> {
    const child = this.#child
    this.#forget()
    await child?.end()
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#detail = undefined
    const child = this.#child
    this.#child = undefined
    this.#running = undefined
    await child?.end()
  }

  async #start(): Promise<Running> {
    this.#state = 'loading'
    this.#detail = undefined
    const settings = this.#settings
    const began = settings.clock.monotonic()
    let child: Child | undefined
    try {
      // The process starts while the file is checked, but hears of the file only afterwards.
      child = new Child(settings)
      this.#child = child
      const description = await this.#describe()
      const loaded = await child.load(description)
      if (this.#child !== child) throw new Error('The engine was closed while it was loading')
      this.#state = 'ready'
      this.#watch(child)
      settings.log.info('model.loaded', {
        model: settings.name,
        millis: Math.round(settings.clock.monotonic() - began),
        bindingsMillis: Math.round(loaded.millis.bindings),
        modelMillis: Math.round(loaded.millis.model),
        contextMillis: Math.round(loaded.millis.context),
      })
      return { child, description }
    } catch (error) {
      await child?.end()
      if (this.#child !== child) throw fault.modelClosed(settings.name)
      this.#failed(error, child)
      throw fault.modelLoadFailed(settings.name, this.#detail ?? 'unknown reason', error)
    }
  }

  /** What the file says; it is read again only when it has changed. */
  async #describe(): Promise<Description> {
    const version = await versionOf(this.#settings)
    if (this.#read !== undefined && this.#read.version === version) return this.#read.description
    const description = await describeFile(this.#settings)
    this.#read = { version, description }
    return description
  }

  #isLeftAlone(): boolean {
    return this.#settings.clock.monotonic() - this.#failedAt < retryAfterMs
  }

  #failed(error: unknown, child: Child | undefined): void {
    this.#forget()
    this.#state = 'failed'
    this.#failedAt = this.#settings.clock.monotonic()
    this.#detail = error instanceof Error ? error.message : 'unknown reason'
    this.#settings.log.error('model.load_failed', {
      model: this.#settings.name,
      error: describeError(error),
      stderr: child?.lastWords(),
    })
  }

  #watch(child: Child): void {
    child.ended = reason => {
      this.#settings.log.error('model.ended', {
        model: this.#settings.name,
        reason,
        stderr: child.lastWords(),
      })
      if (this.#child === child) this.#forget()
      child.failAll(fault.engineCrashed(this.#settings.name, new Error(reason)))
    }
  }

  #forget(): void {
    this.#child = undefined
    this.#running = undefined
    if (this.#state !== 'closed') this.#state = 'idle'
  }
}

/** Another text means: another file, or another adapter. */
async function versionOf({ file, adapter = file }: Settings): Promise<string> {
  const version = async (path: string) => {
    const { ino, size, mtimeMs } = await stat(path)
    return `${ino} ${size} ${mtimeMs}`
  }
  // Whoever reads a file that is not there tells it in words.
  const versions = await Promise.all([file, adapter].map(path => version(path).catch(() => 'none')))
  return versions.join(', ')
}

/** A request before it has a number. */
export type Asked = DistributiveOmit<ChatMessage | CompleteMessage | EncodeMessage, 'id'>
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** A request in the hands of the model's process. */
export interface Job {
  readonly feed: Feed
  readonly description: Description
  /** It has had its last event. */
  finish(): void
  /** Nobody reads on: the feed ends, the process stops working on it. */
  cancel(): void
}

export interface Running {
  readonly child: Child
  readonly description: Description
}

/** One forked process. */
export class Child {
  /** Requests it works on. */
  readonly open = new Map<number, { feed: Feed; refused: (refusal: Refusal) => Fault }>()
  /** Told when the process ends by itself after it was loaded. */
  ended: (reason: string) => void = () => {}
  readonly #settings: Settings
  readonly #process: ChildProcess
  readonly #gone: Promise<string>
  #stderr = ''
  #ending = false
  #loadedBytes = 0
  #answer: (message: FromChild) => void = () => {}

  constructor(settings: Settings) {
    this.#settings = settings
    this.#process = fork(sibling(import.meta.url, './child'), [], {
      env: { ...compileCache(), UV_THREADPOOL_SIZE: `${workers(settings.threads)}`, ...settings.environment },
      execArgv: [`--max-old-space-size=${heapMegabytes}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      windowsHide: true,
    })
    this.#gone = new Promise(resolve => {
      this.#process.once('error', error => resolve(error.message))
      this.#process.once('close', (code, signal) =>
        resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
      )
    })
    void this.#gone.then(reason => {
      if (!this.#ending) this.ended(reason)
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrBytesMax)
    })
    this.#process.on('message', (message: FromChild) => this.#receive(message))
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** What it takes: now, where the system tells, otherwise as of when the model was loaded. */
  get bytes(): number {
    return (this.pid === undefined ? undefined : residentBytes(this.pid)) ?? this.#loadedBytes
  }

  /** @throws Error with the reason when the process says so, ends, or takes too long */
  async load(description: Description): Promise<LoadedMessage> {
    const { file, adapter, scale, slots, threads, batch, gpu, loadTimeoutMs } = this.#settings
    const answered = new Promise<FromChild>(resolve => {
      this.#answer = resolve
    })
    const { context, vocabularySize, tokenBytesMax, template, encoding } = description
    this.send({
      type: 'load',
      ...{ file, context, slots, threads, batch, gpu, template, tokenBytesMax, vocabularySize },
      ...(encoding && { encoding }),
      ...(adapter !== undefined && { adapter: { file: adapter, scale } }),
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>(resolve => {
      timer = setTimeout(() => resolve(`it took longer than ${loadTimeoutMs / 1000} s`), loadTimeoutMs)
    })
    try {
      const answer = await Promise.race([answered, this.#gone.then(reason => `its process died: ${reason}`), late])
      if (typeof answer === 'string') throw new Error(answer)
      if (answer.type === 'loaded') {
        this.#loadedBytes = answer.residentBytes
        return answer
      }
      throw new Error(answer.type === 'failed' ? answer.reason : 'its process gave no sensible answer')
    } finally {
      clearTimeout(timer)
    }
  }

  send(message: ToChild): void {
    // A channel that has just closed is noticed by the end of the process.
    if (this.#process.connected) this.#process.send(message, () => {})
  }

  failAll(error: Fault): void {
    for (const { feed } of this.open.values()) feed.fail(error)
    this.open.clear()
  }

  /** The last lines of standard error: llama.cpp writes its assertions there. */
  lastWords(): string {
    return this.#stderr.replaceAll(this.#settings.file, basename(this.#settings.file)).trim()
  }

  /** Ends the process and waits for its end. Requests in flight fail. */
  async end(): Promise<void> {
    this.#ending = true
    this.failAll(fault.modelClosed(this.#settings.name))
    this.#process.kill('SIGKILL')
    await this.#gone
  }

  #receive(message: FromChild): void {
    if (message.type === 'cycle') for (const event of message.events) this.open.get(event.id)?.feed.push(event)
    else if (message.type === 'refused') {
      const asked = this.open.get(message.id)
      asked?.feed.fail(asked.refused(message.refusal))
      this.open.delete(message.id)
    } else this.#answer(message)
  }
}

/**
 * Threads of Node's pool in the process of a model. Each decode runs on one of them and brings the other threads of llama.cpp itself, so
 * more only let it wander from core to core (measured on two cores: 41 against 45 tokens per second, and worse beside other work); what
 * they are for is sampling, which the replies of a step share.
 */
const workers = (threads: number) => Math.min(4, Math.max(1, Math.floor(threads / 2)))

/** Where this process keeps compiled modules, so that the next one starts faster. */
function compileCache(): Record<string, string> {
  const folder = compileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}
