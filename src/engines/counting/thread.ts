import { Worker } from 'node:worker_threads'
import { Fault, fault } from '../../lib/faults.ts'
import { compileCacheDir, sibling } from '../../lib/modules.ts'
import { loadEncoding } from '../../tokens/index.ts'
import { type Work, work } from './work.ts'
import type { FromWorker, ToWorker } from './worker.ts'

/** Characters of texts up to which work is done in this thread: some milliseconds, in slices. */
const smallMax = 131_072
/** The thread ends when nothing was asked of it for so long; it holds tables of its own, about 60 MB. */
const idleMs = 30_000
const runningMax = 64
const heapMegabytes = 1024
const retryAfterSeconds = 2

/**
 * Does a piece of work: small ones here, large ones in a thread beside, so that the event loop is never held for long.
 * @throws the signal's reason when it is aborted; what the work throws
 */
export async function counted<Kind extends keyof Work>(
  kind: Kind,
  encoding: string,
  input: Work[Kind]['input'],
  signal: AbortSignal | undefined,
): Promise<Work[Kind]['output']> {
  if (isSmall(input)) return work[kind](await loadEncoding(encoding), input, signal)
  const output = await theThread().ask({ kind, encoding, input }, signal)
  return output as Work[Kind]['output'] // the worker answers in kind
}

/** Whether a value holds little text. Looks no further than the bound. */
function isSmall(input: unknown): boolean {
  let left = smallMax
  const spend = (value: unknown): void => {
    if (left < 0) return
    left -= 8
    if (typeof value === 'string') left -= value.length
    else if (value instanceof Uint32Array) left -= 4 * value.length
    else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) spend(inner)
  }
  spend(input)
  return left >= 0
}

let thread: Thread | undefined

/** One for the whole process, like the tables of the encodings. */
function theThread(): Thread {
  thread ??= new Thread(() => {
    thread = undefined
  })
  return thread
}

type Output = Work[keyof Work]['output']

class Thread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, { resolve(output: Output): void; reject(reason: unknown): void }>()
  readonly #ended: () => void
  #nextId = 1
  #idle: NodeJS.Timeout | undefined

  constructor(ended: () => void) {
    this.#ended = ended
    this.#worker = new Worker(entry(), {
      eval: true,
      name: 'counting',
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    })
    this.#worker.on('message', (message: FromWorker) => this.#take(message))
    this.#worker.on('error', error => this.#die(error))
    this.#worker.on('exit', code => this.#die(new Error(`The counting thread ended with code ${code}.`)))
  }

  async ask(
    { kind, encoding, input }: { kind: keyof Work; encoding: string; input: Work[keyof Work]['input'] },
    signal: AbortSignal | undefined,
  ): Promise<Output> {
    signal?.throwIfAborted()
    if (this.#waiting.size >= runningMax) throw fault.overloaded(encoding, retryAfterSeconds)
    const id = this.#nextId++
    clearTimeout(this.#idle)
    this.#worker.ref()
    let abort = () => {}
    const output = new Promise<Output>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      abort = () => {
        reject(signal?.reason)
        this.#post({ id, kind: 'abort' })
      }
    })
    signal?.addEventListener('abort', abort, { once: true })
    this.#worker.postMessage({ id, kind, encoding, input })
    try {
      return await output
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#rest()
    }
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #take(message: FromWorker): void {
    const waiting = this.#waiting.get(message.id)
    if ('output' in message) waiting?.resolve(message.output)
    else if ('fault' in message.failed) waiting?.reject(new Fault(message.failed.fault))
    else waiting?.reject(fault.internal(new Error(message.failed.message)))
  }

  /** Idle, it keeps no process from ending. */
  #rest(): void {
    this.#worker.unref()
    this.#idle = setTimeout(() => {
      this.#ended()
      void this.#worker.terminate()
    }, idleMs)
    this.#idle.unref()
  }

  #die(error: Error): void {
    clearTimeout(this.#idle)
    this.#ended()
    for (const { reject } of this.#waiting.values()) reject(fault.internal(error))
  }
}

/** Plain JavaScript that turns the cache of compiled code on before the first of our files is loaded. */
function entry(): string {
  const cache = compileCacheDir()
  const enable = cache === undefined ? '' : `require('node:module').enableCompileCache(${JSON.stringify(cache)});`
  return `${enable} import(${JSON.stringify(sibling(import.meta.url, './worker').href)})`
}
