import { randomBytes } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { type GgufHeader, readGguf } from '../../gguf/read.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import { describe as describeError } from '../../lib/log.ts'
import { residentBytes } from '../../lib/memory.ts'
import type { Engine, EngineStatus } from '../engine.ts'
import { type Description, describeFile } from '../llama/file.ts'
import { retryAfterMs } from '../llama/host.ts'
import { type UpstreamPool, upstreamEngine, upstreamPool } from '../upstream/index.ts'
import { Counter } from './counter.ts'
import { ServerProcess } from './process.ts'
import { judge, spentSoFar } from './quirks.ts'
import { asLlama, type Settings } from './settings.ts'

/** A reply may take as long as it takes: the process is ours, and it is watched. */
const timeouts = { firstByteMs: 3_600_000, idleMs: 3_600_000, totalMs: 86_400_000 }
/** How long after a broken connection the end of the process is waited for, to tell the one from the other. */
const endNoticedMs = 500

/** Starts llama-server when it is needed, and notices its end. */
export class Host {
  readonly #settings: Settings
  #state: EngineStatus['state'] = 'idle'
  #detail: string | undefined
  #running: Promise<Running> | undefined
  #process: ServerProcess | undefined
  #failedAt = Number.NEGATIVE_INFINITY
  /** Counts starts and ends: what belongs to an earlier number is over. */
  #turn = 0
  #read: { readonly version: string; readonly description: Described } | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** What the file says, once it was read. */
  get description(): Described | undefined {
    return this.#read?.description
  }

  /** What the process takes; the estimate where the system does not tell, or where a GPU holds what it does not see. */
  get bytes(): number {
    const { pid } = this
    if (pid === undefined || this.#state !== 'ready') return 0
    return residentBytes(pid) ?? this.description?.memoryBytes ?? 0
  }

  /** What the process will take; undefined for a file that cannot be used, of which `load` tells why. */
  async estimateBytes(): Promise<number | undefined> {
    if (this.#isLeftAlone()) return undefined
    try {
      const { memoryBytes } = await this.#describe()
      const sizes = await Promise.all(moreFiles(this.#settings).map(async path => (await stat(path)).size))
      return memoryBytes && sizes.reduce((sum, size) => sum + size, memoryBytes)
    } catch {
      return undefined
    }
  }

  status(): EngineStatus {
    return this.#detail === undefined ? { state: this.#state } : { state: this.#state, detail: this.#detail }
  }

  /** Starts the server unless it runs. @throws fault.modelLoadFailed */
  async load(): Promise<Running> {
    if (this.#state === 'closed') throw fault.modelClosed(this.#settings.name)
    if (this.#running === undefined && this.#isLeftAlone())
      throw fault.modelLoadFailed(this.#settings.name, this.#detail ?? 'unknown reason')
    this.#running ??= this.#start()
    return this.#running
  }

  /** Ends the server; it starts again with the next request. Requests that run fail. */
  async unload(): Promise<void> {
    const running = this.#running
    const process = this.#process
    this.#forget()
    await process?.end()
    await running?.then(
      ({ close }) => close(),
      () => undefined,
    )
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#detail = undefined
    await this.unload()
  }

  async #start(): Promise<Running> {
    this.#state = 'loading'
    this.#detail = undefined
    const settings = this.#settings
    const began = settings.clock.monotonic()
    const turn = ++this.#turn
    let process: ServerProcess | undefined
    try {
      const description = await this.#describe()
      if (turn !== this.#turn) throw closedEarly
      const key = randomBytes(32).toString('hex')
      process = new ServerProcess(settings, description.context, key)
      this.#process = process
      const address = await process.address()
      const running = await connected({ settings, description, process, address, key })
      if (turn !== this.#turn) {
        await running.close()
        throw closedEarly
      }
      this.#state = 'ready'
      settings.log.info('model.loaded', {
        model: settings.name,
        engine: 'llama-server',
        millis: Math.round(settings.clock.monotonic() - began),
      })
      this.#watch(process, running)
      return running
    } catch (error) {
      await process?.end()
      if (turn !== this.#turn) throw fault.modelClosed(settings.name)
      this.#failed(error, process)
      throw fault.modelLoadFailed(settings.name, this.#detail ?? 'unknown reason', error)
    }
  }

  /** What the file says; files are read again only when one has changed. */
  async #describe(): Promise<Described> {
    const version = await versionOf(this.#settings)
    if (this.#read !== undefined && this.#read.version === version) return this.#read.description
    const description = await described(this.#settings)
    this.#read = { version, description }
    return description
  }

  #isLeftAlone(): boolean {
    return this.#settings.clock.monotonic() - this.#failedAt < retryAfterMs
  }

  #failed(error: unknown, process: ServerProcess | undefined): void {
    this.#forget()
    this.#state = 'failed'
    this.#failedAt = this.#settings.clock.monotonic()
    this.#detail = error instanceof Error ? error.message : 'unknown reason'
    this.#settings.log.error('model.load_failed', {
      model: this.#settings.name,
      error: describeError(error),
      stderr: process?.lastWords(),
    })
  }

  #watch(process: ServerProcess, running: Running): void {
    void process.gone.then(async reason => {
      if (this.#process === process) {
        this.#settings.log.error('model.ended', {
          model: this.#settings.name,
          reason,
          stderr: process.lastWords(),
        })
        this.#forget()
      }
      await running.close()
    })
  }

  #forget(): void {
    this.#turn++
    this.#process = undefined
    this.#running = undefined
    if (this.#state !== 'closed') this.#state = 'idle'
  }
}

/** What the files say. */
export interface Described extends Description {
  /** What stands for an empty prompt, of which the server makes nothing. */
  readonly start: number | undefined
}

/** A server that answers. */
export interface Running {
  readonly description: Described
  /** Whether its chat template knows calls. */
  readonly callsTools: boolean
  /** What asks it. */
  readonly upstream: Engine
  readonly counter: Counter
  /** What a failure of a request really was: the end of the process, where it was that. */
  explain(error: unknown): Promise<unknown>
  close(): Promise<void>
}

interface Connection {
  settings: Settings
  description: Described
  process: ServerProcess
  address: string
  key: string
}

async function connected({ settings, description, process, address, key }: Connection): Promise<Running> {
  const { name, version, log } = settings
  const pool: UpstreamPool = upstreamPool(address)
  const counter = new Counter(name, address, key)
  const upstream = upstreamEngine({
    name,
    target: name,
    baseUrl: `${address}/v1`,
    apiKey: key,
    abilities: ['chat', 'complete'],
    timeouts,
    pool,
    version,
    log,
    tokenizer: counter,
    spentSoFar,
    judge: judge(settings, description),
  })
  const close = async () => {
    await Promise.all([upstream.close(), counter.close(), pool.close()])
  }
  const callsTools = await counter.callsTools().catch(async error => {
    await close()
    throw new Error('its server does not answer', { cause: error })
  })
  return {
    description,
    callsTools,
    upstream,
    counter,
    async explain(error) {
      if (!isLost(error)) return error
      if (process.ending) return fault.modelClosed(name)
      const timer = AbortSignal.timeout(endNoticedMs)
      const waited = new Promise<void>(resolve => timer.addEventListener('abort', () => resolve(), { once: true }))
      await Promise.race([process.gone, waited])
      if (process.ending) return fault.modelClosed(name)
      if (!process.over) return error
      return fault.engineCrashed(name, new Error(await process.gone))
    },
    close,
  }
}

const lost = new Set(['upstream_unreachable', 'upstream_interrupted', 'shutting_down'])
const isLost = (error: unknown): error is Fault =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && lost.has(error.code)

const closedEarly = new Error('The engine was closed while it was loading')

/** Beside the model and the adapter that is always at work. */
const moreFiles = ({ mmproj, adapters }: Settings) => (mmproj === undefined ? adapters : [...adapters, mmproj])

/** Another text means: one of the files is another. */
async function versionOf(settings: Settings): Promise<string> {
  const { file, adapter = file } = settings
  const versions = [file, adapter, ...moreFiles(settings)].map(path =>
    stat(path).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      () => 'none', // whoever reads it tells it in words
    ),
  )
  return (await Promise.all(versions)).join(', ')
}

/** Checks all files before anything native sees them. @throws Error with a reason that names no path */
async function described(settings: Settings): Promise<Described> {
  const description = await describeFile(asLlama(settings))
  if (description.purpose !== 'generate')
    throw new Error("The engine 'llama-server' is for models that generate: leave out its 'engine' setting.")
  for (const adapter of settings.adapters) await describeFile({ ...asLlama(settings), adapter })
  if (settings.mmproj !== undefined) await checkProjector(settings.mmproj)
  const header = await headerOf(settings.file)
  const id = (name: string) => header.number(`tokenizer.ggml.${name}_token_id`)
  return { ...description, start: id('bos') ?? id('eos') }
}

async function checkProjector(path: string): Promise<void> {
  const refused = (why: string, cause?: unknown) => new Error(`Its 'mmproj' cannot be used: ${why}.`, { cause })
  const header = await headerOf(path).catch(error => {
    throw refused('the file cannot be read', error)
  })
  const architecture = header.text('general.architecture')
  if (architecture !== 'clip') throw refused(`it is no projector but: ${architecture?.slice(0, 64) ?? 'not stated'}`)
}

async function headerOf(path: string): Promise<GgufHeader> {
  const file = await open(path, 'r')
  try {
    return await readGguf(file)
  } finally {
    await file.close()
  }
}
