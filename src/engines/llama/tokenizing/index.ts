import { type ChildProcess, fork } from 'node:child_process'
import { Fault, fault } from '../../../lib/faults.ts'
import { compileCacheDir, sibling } from '../../../lib/modules.ts'
import type { ChatRequest } from '../../../wire/chat.ts'
import { type Pieces, type Tokenizer, unknownToken } from '../../tokenizer.ts'
import type { Description } from '../file.ts'
import type { Refusal } from '../protocol.ts'
import { chatAsked, faultOf } from '../request.ts'
import type { Settings } from '../settings.ts'
import type { FromTokenizer, Job, LoadVocabulary, Part, ToTokenizer } from './messages.ts'

/** Jobs that may wait; beyond it `fault.overloaded`. */
const waitingMax = 64
/** Longer than the largest request takes (16 MB at 0.7 MB/s). */
const jobMsMax = 60_000
/** The process ends when nothing was counted for so long. */
const idleMs = 30_000
const retryAfterSeconds = 2
const heapMegabytes = 512

export interface LlamaTokenizer extends Tokenizer {
  close(): Promise<void>
}

/**
 * The tokenizer of a GGUF file, in a process of its own that reads the vocabulary alone: counting neither loads the model nor holds
 * up its replies. The process starts with the first job and ends when it is idle; jobs run one after another.
 *
 * Faults of its methods: `model_load_failed`, `overloaded`, `draining` after `close`, and for what the chat template refuses those of
 * a chat request.
 */
export function llamaTokenizer(settings: Settings, describe: () => Promise<Description>): LlamaTokenizer {
  const queue = new Queue(settings, describe)
  const { name } = settings
  return {
    name,
    assumptions: [],
    count: async (text, signal) => (await queue.add({ type: 'count', text, special: false }, signal)).count,
    async countChat(request: ChatRequest, signal) {
      if ((await queue.description()).template === null) throw fault.wrongAbility(name, 'chat')
      const asked = chatAsked(request, 0)
      const { messages, tools, format, effort } = asked
      const conversation = { messages, ...(tools && { tools }), ...(format && { format }), ...(effort && { effort }) }
      try {
        return { tokens: (await queue.add({ type: 'chat', conversation }, signal)).count, assumptions: [] }
      } catch (error) {
        throw error instanceof Refused ? faultOf(error.refusal, asked, { name, limit: 0 }) : error
      }
    },
    ids: {
      async encode(text, special, signal) {
        const { count, parts } = await queue.add({ type: 'encode', text, special }, signal)
        const tokens = new Uint32Array(count)
        let at = 0
        for (const part of parts) {
          if (!('tokens' in part)) continue
          tokens.set(part.tokens, at)
          at += part.tokens.length
        }
        return tokens
      },
      decode: async (tokens, signal) => (await queue.text('decode', tokens, signal)).text,
      pieces: (tokens, signal) => queue.text('pieces', tokens, signal),
    },
    close: () => queue.close(),
  }
}

interface Result {
  readonly count: number
  readonly parts: readonly Part[]
}

interface Waiting {
  readonly job: Job
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
}

/** Gives jobs to the process, one at a time. */
class Queue {
  readonly #settings: Settings
  readonly #describe: () => Promise<Description>
  #waiting: Waiting[] = []
  #running: Waiting | undefined
  #child: Child | undefined
  #idle: NodeJS.Timeout | undefined
  #closed = false

  constructor(settings: Settings, describe: () => Promise<Description>) {
    this.#settings = settings
    this.#describe = describe
  }

  /** @throws fault.modelLoadFailed */
  async description(): Promise<Description> {
    try {
      return await this.#describe()
    } catch (error) {
      throw this.#notLoaded(error)
    }
  }

  /** @throws fault.modelLoadFailed, and Fault 400 `unknown_token` */
  async text(type: 'decode' | 'pieces', tokens: Uint32Array, signal: AbortSignal | undefined): Promise<Pieces> {
    const { vocabularySize } = await this.description()
    const wrong = tokens.find(token => token >= vocabularySize)
    if (wrong !== undefined) throw unknownToken(wrong, this.#settings.name)
    const { parts } = await this.add({ type, tokens }, signal)
    const ends = new Uint32Array(type === 'pieces' ? tokens.length : 0)
    let text = ''
    let at = 0
    for (const part of parts) {
      if (!('text' in part)) continue
      for (const end of part.ends ?? []) ends[at++] = text.length + end
      text += part.text
    }
    return { text, ends }
  }

  async add(job: Job, signal: AbortSignal | undefined): Promise<Result> {
    signal?.throwIfAborted()
    if (this.#closed) throw fault.modelClosed(this.#settings.name)
    if (this.#waiting.length >= waitingMax) throw fault.overloaded(this.#settings.name, retryAfterSeconds)
    let abort = () => {}
    const result = new Promise<Result>((resolve, reject) => {
      const waiting: Waiting = { job, resolve, reject }
      abort = () => this.#drop(waiting, signal?.reason)
      this.#waiting.push(waiting)
    })
    signal?.addEventListener('abort', abort, { once: true })
    void this.#next()
    try {
      return await result
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    for (const { reject } of this.#waiting.splice(0)) reject(fault.modelClosed(this.#settings.name))
    this.#running?.reject(fault.modelClosed(this.#settings.name))
    await this.#end()
  }

  async #next(): Promise<void> {
    if (this.#running !== undefined) return
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#running = next
    clearTimeout(this.#idle)
    try {
      const child = await this.#ready()
      next.resolve(await child.run(next.job, jobMsMax))
    } catch (error) {
      next.reject(
        error instanceof Fault || error instanceof Refused ? error : fault.engineCrashed(this.#settings.name, error),
      )
      if (!(error instanceof Refused)) await this.#end()
    }
    this.#running = undefined
    if (this.#closed) return
    this.#idle = setTimeout(() => void this.#end(), idleMs)
    this.#idle.unref()
    void this.#next()
  }

  async #ready(): Promise<Child> {
    if (this.#child !== undefined) return this.#child
    const { template } = await this.description()
    const { file, loadTimeoutMs } = this.#settings
    if (this.#closed) throw fault.modelClosed(this.#settings.name)
    const child = new Child(this.#settings)
    this.#child = child
    try {
      await child.load({ type: 'load', file, template }, loadTimeoutMs)
      return child
    } catch (error) {
      throw this.#notLoaded(error)
    }
  }

  /** A job nobody waits for any more. llama.cpp cannot be interrupted, so a running one takes its process with it. */
  #drop(waiting: Waiting, reason: unknown): void {
    waiting.reject(reason)
    this.#waiting = this.#waiting.filter(other => other !== waiting)
    if (this.#running === waiting) void this.#end()
  }

  async #end(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    await child?.end()
  }

  #notLoaded(error: unknown): Fault {
    if (this.#closed) return fault.modelClosed(this.#settings.name)
    const reason = error instanceof Error ? error.message : 'unknown reason'
    return fault.modelLoadFailed(this.#settings.name, reason.replaceAll(this.#settings.file, 'the file'), error)
  }
}

/** The process says no; of anything but a chat that is not the caller's fault. */
class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(JSON.stringify(refusal))
    this.refusal = refusal
  }
}

/** One forked process. */
class Child {
  readonly #process: ChildProcess
  readonly #gone: Promise<never>
  #take: (message: FromTokenizer) => void = () => {}

  constructor({ environment }: Settings) {
    const cache = compileCacheDir()
    this.#process = fork(sibling(import.meta.url, './child'), [], {
      env: { ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }), ...environment },
      execArgv: [`--max-old-space-size=${heapMegabytes}`],
      serialization: 'advanced', // lists of tokens travel as bytes
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      windowsHide: true,
    })
    this.#gone = new Promise((_resolve, reject) => {
      this.#process.once('error', reject)
      this.#process.once('close', (code, signal) =>
        reject(new Error(`The tokenizer's process ended (${signal ?? `code ${code}`})`)),
      )
    })
    this.#gone.catch(() => undefined) // who waits for an answer hears of it
    this.#process.on('message', (message: FromTokenizer) => this.#take(message))
  }

  /** @throws Error with the reason when the process says so, ends, or takes too long */
  async load(message: LoadVocabulary, millisMax: number): Promise<void> {
    const answer = await this.#ask(message, millisMax, () => {})
    if (answer.type === 'failed') throw new Error(answer.reason)
  }

  /** @throws Refused, and Error when the process ends or takes too long */
  async run(job: Job, millisMax: number): Promise<Result> {
    const parts: Part[] = []
    const answer = await this.#ask(job, millisMax, part => parts.push(part))
    if (answer.type === 'refused') throw new Refused(answer.refusal)
    if (answer.type !== 'done') throw new Error('The tokenizer gave no sensible answer')
    return { count: answer.count, parts }
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#gone.catch(() => undefined)
  }

  async #ask(
    message: ToTokenizer,
    millisMax: number,
    part: (part: Part) => void,
  ): Promise<Exclude<FromTokenizer, Part>> {
    const answered = new Promise<Exclude<FromTokenizer, Part>>(resolve => {
      this.#take = answer => (answer.type === 'part' ? part(answer) : resolve(answer))
    })
    // A channel that has just closed is noticed by the end of the process.
    if (this.#process.connected) this.#process.send(message, () => {})
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`It took longer than ${millisMax / 1000} s`)), millisMax)
    })
    try {
      return await Promise.race([answered, this.#gone, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
