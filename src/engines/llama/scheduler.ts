import type { Gauge, Measure } from './gauge.ts'
import type { NativeContext, NativeSampler } from './native.ts'

/** One reply to generate: one choice of a request. */
export interface Task {
  /** Of the request: tasks of one request are cancelled, paused and treated fairly together. */
  readonly request: number
  readonly prompt: readonly number[]
  /** What a slot holds of another tenant's prompt is not used again: it would tell how that prompt begins. */
  readonly tenant?: string | undefined
  /** Requests with the same key leave the caches of others alone where they can. */
  readonly cacheKey?: string | undefined
  makeSampler(): NativeSampler
  /** A slot was found; this many tokens of the prompt are still there from an earlier request. */
  begun(cachedTokens: number): void
  /** Present where it matters how likely the tokens are. */
  makeGauge?(): Gauge
  /**
   * Present where it matters how likely the prompt's own tokens are, which needs a gauge: takes this for each token but the first, in
   * order. `complete`: these were the last. False ends the task.
   */
  prompted?(measures: readonly Measure[], complete: boolean): boolean
  /** Takes a generated token, measured where there is a gauge. False ends the task. */
  token(token: number, measure?: Measure): boolean
  /** llama.cpp failed on the batch. */
  failed(reason: unknown): void
}

export interface SchedulerSettings {
  slots: number
  /** Tokens of one decoding step at most. */
  batch: number
  /** Called after every step, when all tasks have seen their tokens. */
  cycled(): void
}

/** Fewer shared tokens do not weigh up for the hole that choosing a high slot may open. */
const sharedTokensMin = 32
/**
 * Tokens of one prompt per step while replies are being generated, since each step delays them all. Several prompts have as many each:
 * who waits for a first token counts as much as who waits for the next.
 */
const promptShare = 128
/** Tokens of a measured prompt per step, alone and beside others: each takes a row of logits and three samplings. */
const measuredShare = { alone: 16, shared: 4 } as const

/**
 * Decides which sequence of the context takes a task and what goes into each batch. Every step decodes one token of every running
 * reply and fills the rest with prompts, in ascending order of slots: llama.cpp splits a batch where the ids of its sequences do not
 * follow one another, and each part reads all the weights. Sequences are edited between two steps only, so no task waits for another
 * to end; and what a slot still holds of an earlier prompt is used again.
 */
export class Scheduler {
  readonly #context: NativeContext
  readonly #settings: SchedulerSettings
  readonly #slots: Slot[]
  readonly #waiting: Task[] = []
  readonly #paused = new Set<number>()
  #running = false

  constructor(context: NativeContext, settings: SchedulerSettings) {
    this.#context = context
    this.#settings = settings
    this.#slots = Array.from({ length: settings.slots }, (_, index) => ({
      index,
      tokens: [],
      tenant: undefined,
      cacheKey: undefined,
      work: null,
    }))
  }

  /** Takes a task; it starts as soon as a slot is free. Its prompt must not be empty, nor longer than a sequence. */
  submit(task: Task): void {
    this.#waiting.push(task)
    void this.#run()
  }

  /** Ends all tasks of a request without a word to them. */
  cancel(request: number): void {
    this.#paused.delete(request)
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]?.request === request) this.#waiting.splice(i, 1)
    for (const slot of this.#slots) if (slot.work?.task.request === request) slot.work.over = true
    void this.#run()
  }

  pause(request: number): void {
    this.#paused.add(request)
  }

  resume(request: number): void {
    this.#paused.delete(request)
    void this.#run()
  }

  /** The request has ended by itself. */
  forget(request: number): void {
    this.#paused.delete(request)
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      for (;;) {
        this.#release()
        this.#place()
        const parts = this.#compose()
        if (parts.length === 0) return
        await this.#step(parts)
        this.#settings.cycled()
      }
    } finally {
      this.#running = false
    }
  }

  /** Frees the slots of tasks that are over. What they hold stays, for the next prompt that begins the same. */
  #release(): void {
    for (const slot of this.#slots)
      if (slot.work?.over) {
        slot.work.sampler.dispose()
        slot.work.gauge?.dispose()
        slot.work = null
      }
  }

  #place(): void {
    while (this.#waiting.length > 0) {
      const free = this.#slots.filter(slot => slot.work === null)
      if (free.length === 0) return
      const [task] = this.#waiting.splice(this.#next(), 1) as [Task]
      const slot = chosen(free, task)
      // What is in the cache has no logits any more.
      const usable = task.prompted === undefined && slot.tenant === task.tenant
      const cached = usable ? this.#adapt(slot, task.prompt) : this.#clear(slot)
      slot.tenant = task.tenant
      slot.cacheKey = task.cacheKey
      slot.work = {
        task,
        sampler: task.makeSampler(),
        gauge: task.makeGauge?.(),
        rest: task.prompt.slice(cached),
        over: false,
      }
      task.begun(cached)
    }
  }

  /** The oldest waiting task of the request that has the fewest running: a request of a hundred choices does not shut out others. */
  #next(): number {
    const running = new Map<number, number>()
    for (const { work } of this.#slots)
      if (work) running.set(work.task.request, (running.get(work.task.request) ?? 0) + 1)
    let best = 0
    let fewest = Number.POSITIVE_INFINITY
    for (const [i, { request }] of this.#waiting.entries()) {
      const count = running.get(request) ?? 0
      if (count < fewest) {
        best = i
        fewest = count
      }
    }
    return best
  }

  /** Cuts a sequence back to what it shares with the prompt, and tells how much that is. The last token is always decoded anew: its logits are needed. */
  #adapt(slot: Slot, prompt: readonly number[]): number {
    const keep = Math.min(shared(slot.tokens, prompt), prompt.length - 1)
    if (keep === slot.tokens.length) return keep
    // Where a window has slid on, the tokens before the cut are gone: llama.cpp could not see what it should.
    const slid = this.#context.getSequenceKvCacheMinPosition(slot.index) > 0
    if (keep > 0 && !slid && this.#context.removeTokenCellsFromSequence(slot.index, keep, -1)) {
      slot.tokens.length = keep
      return keep
    }
    return this.#clear(slot)
  }

  #clear(slot: Slot): 0 {
    this.#context.disposeSequence(slot.index)
    slot.tokens = []
    return 0
  }

  #compose(): Part[] {
    const ready = this.#slots.filter(isBusy).filter(slot => !this.#paused.has(slot.work.task.request))
    const replies = ready.filter(slot => slot.work.rest.length === 1).length
    let room = Math.max(0, this.#settings.batch - replies)
    const share = replies === 0 ? room : promptShare
    const alone = ready.length === 1
    const parts: Part[] = []
    for (const slot of ready) {
      const { rest, task } = slot.work
      const most = Math.min(room, task.prompted === undefined ? share : measuredShare[alone ? 'alone' : 'shared'])
      const count = rest.length === 1 ? 1 : Math.min(rest.length, most)
      if (rest.length > 1) room -= count
      if (count > 0) parts.push({ slot, work: slot.work, tokens: Uint32Array.from(rest.slice(0, count)) })
    }
    return parts
  }

  async #step(parts: readonly Part[]): Promise<void> {
    try {
      const wanted = this.#fill(parts)
      await this.#context.decodeBatch()
      for (const { slot, work, tokens } of parts) {
        for (const token of tokens) slot.tokens.push(token)
        work.rest = work.rest.slice(tokens.length)
      }
      for (const one of wanted) if (one.prompt !== undefined) await this.#measure(one, one.prompt)
      const sampled = await this.#sample(wanted)
      for (const [i, { work }] of wanted.entries()) this.#deliver(work, sampled[i] as Sampled)
    } catch (error) {
      // What the sequences hold after a failed decode is not known.
      for (const { slot, work } of parts) {
        this.#clear(slot)
        fail(work, error)
      }
    }
  }

  #fill(parts: readonly Part[]): Wanted[] {
    const wanted: Wanted[] = []
    this.#context.initBatch(parts.reduce((sum, { tokens }) => sum + tokens.length, 0))
    for (const { slot, work, tokens } of parts) {
      const complete = tokens.length === work.rest.length
      const place = slot.tokens.length
      const measured = work.task.prompted !== undefined && place < work.task.prompt.length
      const last = complete ? Uint32Array.of(tokens.length - 1) : new Uint32Array(0)
      const logitsAt = measured ? Uint32Array.from(tokens.keys()) : last
      const logits = this.#context.addToBatch(slot.index, place, tokens, logitsAt)
      if (measured) wanted.push({ work, logits: complete ? logits.at(-1) : undefined, prompt: { place, logits } })
      else if (logits[0] !== undefined) wanted.push({ work, logits: logits[0] })
    }
    return wanted
  }

  /** Each place of a prompt tells how likely the next token was. */
  async #measure({ work, logits: complete }: Wanted, { place, logits }: MeasuredPrompt): Promise<void> {
    const { task, gauge } = work
    try {
      const measures: Measure[] = []
      for (const [i, at] of logits.entries()) {
        const next = task.prompt[place + i + 1]
        if (next === undefined || gauge === undefined || work.over) break
        measures.push(await gauge.measure(at, next))
      }
      if (!work.over && task.prompted?.(measures, complete !== undefined) === false) work.over = true
    } catch (error) {
      fail(work, error)
    }
  }

  /** The first alone: llama.cpp may put its outputs in order when they are first asked for, which must not happen twice at once. */
  async #sample(wanted: readonly Wanted[]): Promise<Sampled[]> {
    const [first, ...others] = wanted
    if (first === undefined) return []
    return [await this.#one(first), ...(await Promise.all(others.map(one => this.#one(one))))]
  }

  async #one({ work, logits }: Wanted): Promise<Sampled> {
    if (work.over || logits === undefined) return undefined
    try {
      const token = await this.#context.sampleToken(logits, work.sampler)
      if (token < 0) throw new Error('No token could be sampled')
      return work.gauge === undefined ? { token } : { token, measure: await work.gauge.measure(logits, token) }
    } catch (error) {
      fail(work, error)
      return undefined
    }
  }

  #deliver(work: Work, sampled: Sampled): void {
    if (work.over || sampled === undefined) return
    work.rest = [sampled.token]
    if (!work.task.token(sampled.token, sampled.measure)) work.over = true
  }
}

/** Tells a task that llama.cpp failed on it. */
function fail(work: Work, error: unknown): void {
  if (!work.over) work.task.failed(error)
  work.over = true
}

type Sampled = { readonly token: number; readonly measure?: Measure } | undefined

interface Slot {
  /** Also the id of the sequence. */
  readonly index: number
  /** What the sequence holds. */
  tokens: number[]
  /** Of the task that used it last. */
  tenant: string | undefined
  cacheKey: string | undefined
  work: Work | null
}

interface Work {
  readonly task: Task
  readonly sampler: NativeSampler
  readonly gauge: Gauge | undefined
  /** Tokens still to decode. */
  rest: readonly number[]
  over: boolean
}

interface Part {
  readonly slot: Slot
  readonly work: Work
  readonly tokens: Uint32Array
}

interface Wanted {
  readonly work: Work
  /** Where the next token is sampled; undefined while the prompt is not complete. */
  readonly logits: number | undefined
  readonly prompt?: MeasuredPrompt
}

interface MeasuredPrompt {
  /** Of its first token in the sequence. */
  readonly place: number
  readonly logits: Uint32Array
}

const isBusy = (slot: Slot): slot is Slot & { work: Work } => slot.work !== null && !slot.work.over

/** The slot that shares the longest beginning, when it is worth it, of several the one of the same key; otherwise the lowest. */
function chosen(free: readonly Slot[], { prompt, tenant, cacheKey }: Task): Slot {
  let best = free[0] as Slot
  let longest = sharedTokensMin - 1
  for (const slot of free) {
    const length = slot.tenant === tenant ? shared(slot.tokens, prompt) : 0
    const ownInstead = length === longest && cacheKey !== undefined && slot.cacheKey === cacheKey
    if (length > longest || (ownInstead && length >= sharedTokensMin)) {
      best = slot
      longest = length
    }
  }
  return best
}

function shared(held: readonly number[], prompt: readonly number[]): number {
  const most = Math.min(held.length, prompt.length)
  let length = 0
  while (length < most && held[length] === prompt[length]) length++
  return length
}
