import type { ReplyParser, Said } from './dialects/index.ts'
import type { Gauge, Measure } from './gauge.ts'
import { LikelyTokens } from './likely.ts'
import type { Model, Sampling } from './model.ts'
import type { NativeGrammar, NativeSampler } from './native.ts'
import type { Event, Generation, LikelyToken } from './protocol.ts'
import type { Task } from './scheduler.ts'
import { characters, ReplyText } from './text.ts'

/** A prompt, ready to be decoded. */
export interface Prompt {
  readonly tokens: readonly number[]
  /** As the caller sent it, where it was a text. */
  readonly text?: string
}

export interface ChoiceSettings {
  readonly request: Generation
  /** Send the prompt first. */
  readonly echo: boolean
  /** The choices compete: tell at the end how likely this one was. */
  readonly competes: boolean
  readonly prompt: Prompt
  readonly choice: number
  /** A uint32. */
  readonly seed: number
  readonly maxTokens: number
  /** Finds thoughts and calls in the reply of a chat. */
  readonly parser?: ReplyParser
  /** The beginning of the reply that stands in the prompt already: the parser reads it first. */
  readonly opening?: string
  /** What the reply must fit. */
  readonly grammar?: NativeGrammar
}

/** One choice of a request on its way through the scheduler: its tokens become events. */
export class Choice implements Task {
  readonly request: number
  readonly prompt: readonly number[]
  readonly tenant: string | undefined
  readonly cacheKey: string | undefined
  /** Present only where the prompt's own tokens are measured. */
  readonly prompted?: NonNullable<Task['prompted']>
  readonly makeGauge?: () => Gauge
  readonly #model: Model
  readonly #settings: ChoiceSettings
  readonly #tell: (event: Event) => void
  readonly #reply: ReplyText
  readonly #likely: LikelyTokens | undefined
  /** Tokens whose text the parser holds back. */
  readonly #unsaid: LikelyToken[] = []
  #tokens = 0
  /** Of them, those of the thought. */
  #thought = 0
  #thinks = false
  #sum = 0

  /** @param tell takes the events; after `end` and `failure` nothing follows */
  constructor(model: Model, settings: ChoiceSettings, tell: (event: Event) => void) {
    const { request, prompt, echo } = settings
    this.#model = model
    this.#settings = settings
    this.#tell = tell
    this.request = request.id
    this.prompt = prompt.tokens
    this.tenant = request.tenant
    this.cacheKey = request.cacheKey
    const decode = settings.parser ? model.legible : model.text
    this.#reply = new ReplyText(tokens => decode(tokens), prompt.tokens.slice(-4), request.stop)
    const { logprobs } = request
    if (logprobs === undefined && !settings.competes) return
    this.makeGauge = () => model.gauge(logprobs ?? 0)
    if (logprobs === undefined) return
    this.#likely = new LikelyTokens(model, logprobs > 0)
    if (echo) this.prompted = (measures, complete) => this.#prompted(measures, complete)
    else this.#likely.begin(characters(this.#promptText()))
  }

  /** Whether there is nothing to decode: no token is asked for, nor how likely those of the prompt are. */
  get idle(): boolean {
    return this.#settings.maxTokens === 0 && this.prompted === undefined
  }

  /** An idle choice is over at once. */
  endIdle(): void {
    this.begun(0)
    this.#end('', 'length')
  }

  makeSampler(): NativeSampler {
    const { temperature, topP, penalties, bias: asked = [] } = this.#settings.request
    const { seed, maxTokens, grammar } = this.#settings
    // A grammar reads the spelling of a control token, which the reply does not show: what is left would not fit it.
    const bias = grammar ? [...this.#model.hidden.map(token => [token, banned] as const), ...asked] : asked
    const sampling: Sampling = {
      temperature,
      topP,
      seed,
      maxTokens,
      ...(penalties && { penalties }),
      ...(bias.length > 0 && { bias }),
      ...(grammar && { grammar }),
    }
    return this.#model.sampler(sampling)
  }

  begun(cachedTokens: number): void {
    this.#tell({ kind: 'begun', ...this.#name(), promptTokens: this.prompt.length, cachedTokens })
    // With logprobs the prompt is sent when they are known.
    if (this.#settings.echo && this.#likely === undefined) this.#text(this.#promptText())
    if (this.#settings.opening) this.#say(this.#settings.parser?.push(this.#settings.opening) ?? [])
  }

  token(token: number, measure?: Measure): boolean {
    if (this.#model.ends(token)) return this.#end(this.#reply.end(), 'stop')
    this.#tokens++
    this.#sum += measure?.logprob ?? 0
    const offset = this.#reply.decoded
    const { text, stopped } = this.#reply.push(token)
    if (measure) this.#likely?.add({ token, offset, measure })
    if (stopped) return this.#end(text, 'stop', true)
    if (this.#tokens >= this.#settings.maxTokens) return this.#end(text + this.#reply.end(), 'length')
    this.#text(text)
    if (this.#thinks) this.#thought++
    return this.#settings.parser?.full ? this.#end('', 'stop') : true
  }

  failed(reason: unknown): void {
    const message = reason instanceof Error ? reason.message : 'unknown error'
    this.#tell({ kind: 'failure', ...this.#name(), message })
  }

  #prompted(measures: readonly Measure[], complete: boolean): boolean {
    this.#likely?.measured(measures)
    if (!complete) return true
    const text = this.#promptText()
    const likely = this.#likely?.echo(this.#settings.prompt, characters(text)) ?? []
    if (this.#settings.maxTokens === 0) return this.#end(text, 'length', false, likely)
    this.#tell({ kind: 'text', ...this.#name(), text, tokens: 0, likely })
    return true
  }

  #promptText(): string {
    const { text, tokens } = this.#settings.prompt
    return text ?? this.#model.text(tokens, true)
  }

  #text(text: string): void {
    const likely = this.#likely?.released(text)
    const { parser } = this.#settings
    if (parser === undefined) this.#tell({ kind: 'text', ...this.#place(), text, ...(likely && { likely }) })
    else if (!this.#say(parser.push(text), likely)) this.#tell({ kind: 'text', ...this.#place(), text: '' })
  }

  /** Tells what the parser found. @returns whether it was anything */
  #say(said: readonly Said[], likely?: LikelyToken[]): boolean {
    // Tokens whose text the parser holds back are told with it; those of thoughts and calls are not told.
    this.#unsaid.push(...(likely ?? []))
    for (const one of said) {
      this.#thinks = one.kind === 'reasoning'
      const tokens = this.#unsaid.splice(0)
      if (one.kind !== 'content') this.#tell({ kind: 'said', ...this.#place(), said: one })
      else {
        dropMarks(tokens, characters(one.text))
        this.#tell({ kind: 'text', ...this.#place(), text: one.text, ...(likely && { likely: tokens }) })
      }
    }
    return said.length > 0
  }

  /** @param cut a stop sequence ended the text: what it took away is not told */
  #end(text: string, reason: 'stop' | 'length', cut = false, first?: LikelyToken[]): false {
    const likely = first ?? (cut ? this.#likely?.released(text) : this.#likely?.rest())
    const mean = this.#settings.competes ? this.#sum / Math.max(1, this.#tokens) : undefined
    const { parser } = this.#settings
    if (parser) this.#say([...parser.push(text), ...parser.end()], likely)
    this.#tell({
      kind: 'end',
      ...this.#place(),
      text: parser ? '' : text,
      reason,
      calls: parser?.calls ?? 0,
      thought: this.#thought,
      ...(likely && !parser && { likely }),
      ...(mean !== undefined && { mean }),
    })
    return false
  }

  #name() {
    return { id: this.request, choice: this.#settings.choice }
  }

  #place() {
    return { ...this.#name(), tokens: this.#tokens }
  }
}

/** OpenAI's bias for a ban. */
const banned = -100

/** Leaves out what stood before a text and is no part of it, such as the mark that ends a thought. @param length of the text */
function dropMarks(tokens: LikelyToken[], length: number): void {
  let all = tokens.reduce((sum, { bytes }) => sum + begun(bytes), 0)
  while (tokens[0] !== undefined && all - begun(tokens[0].bytes) >= length) {
    all -= begun(tokens[0].bytes)
    tokens.shift()
  }
}

/** Characters that begin in these bytes of UTF-8. */
const begun = (bytes: readonly number[]) => bytes.reduce((sum, byte) => sum + ((byte & 0xc0) === 0x80 ? 0 : 1), 0)
