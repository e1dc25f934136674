import type { Gauge, Measure } from './gauge.ts'
import type { Model, Sampling } from './model.ts'
import type { NativeSampler } from './native.ts'
import type { Event, Generation, Likelihood, LikelyToken } from './protocol.ts'
import type { Task } from './scheduler.ts'
import { characters, Pieces, ReplyText } from './text.ts'

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
}

/** One choice of a request on its way through the scheduler: its tokens become events. */
export class Choice implements Task {
  readonly request: number
  readonly prompt: readonly number[]
  /** Present only where the prompt's own tokens are measured. */
  readonly prompted?: NonNullable<Task['prompted']>
  readonly makeGauge?: () => Gauge
  readonly #model: Model
  readonly #settings: ChoiceSettings
  readonly #tell: (event: Event) => void
  readonly #reply: ReplyText
  readonly #likely: LikelyTokens | undefined
  #tokens = 0
  #sum = 0

  /** @param tell takes the events; after `end` and `failure` nothing follows */
  constructor(model: Model, settings: ChoiceSettings, tell: (event: Event) => void) {
    const { request, prompt, echo } = settings
    this.#model = model
    this.#settings = settings
    this.#tell = tell
    this.request = request.id
    this.prompt = prompt.tokens
    this.#reply = new ReplyText(tokens => model.text(tokens), prompt.tokens.slice(-4), request.stop)
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
    const { temperature, topP, penalties, bias } = this.#settings.request
    const { seed, maxTokens } = this.#settings
    const sampling: Sampling = {
      temperature,
      topP,
      seed,
      maxTokens,
      ...(penalties && { penalties }),
      ...(bias && { bias }),
    }
    return this.#model.sampler(sampling)
  }

  begun(cachedTokens: number): void {
    this.#tell({ kind: 'begun', ...this.#name(), promptTokens: this.prompt.length, cachedTokens })
    // With logprobs the prompt is sent when they are known.
    if (this.#settings.echo && this.#likely === undefined) this.#text(this.#promptText())
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
    return true
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
    this.#tell({ kind: 'text', ...this.#name(), text, tokens: this.#tokens, ...(likely && { likely }) })
  }

  /** @param cut a stop sequence ended the text: what it took away is not told */
  #end(text: string, reason: 'stop' | 'length', cut = false, first?: LikelyToken[]): false {
    const likely = first ?? (cut ? this.#likely?.released(text) : this.#likely?.rest())
    const mean = this.#settings.competes ? this.#sum / Math.max(1, this.#tokens) : undefined
    this.#tell({
      kind: 'end',
      ...this.#name(),
      text,
      tokens: this.#tokens,
      reason,
      ...(likely && { likely }),
      ...(mean !== undefined && { mean }),
    })
    return false
  }

  #name() {
    return { id: this.request, choice: this.#settings.choice }
  }
}

/** How likely the tokens of a choice were, told together with their text. */
class LikelyTokens {
  readonly #model: Model
  readonly #ranked: boolean
  #pending: LikelyToken[] = []
  readonly #prompt: Measure[] = []
  /** Characters before the reply. */
  #base = 0
  #released = 0

  /** @param ranked tell the likeliest tokens too */
  constructor(model: Model, ranked: boolean) {
    this.#model = model
    this.#ranked = ranked
  }

  /** @param base characters before the reply: offsets count from the start of the prompt, also where it is not sent, as OpenAI's did */
  begin(base: number): void {
    this.#base = base
  }

  add({ token, offset, measure }: { token: number; offset: number; measure: Measure }): void {
    this.#pending.push(this.#likely(token, this.#base + offset, measure))
  }

  measured(measures: readonly Measure[]): void {
    for (const measure of measures) this.#prompt.push(measure)
  }

  /** Those of the prompt, without a token that was added in front of a text; the first has nothing before it. */
  echo({ tokens, text }: Prompt, length: number): LikelyToken[] {
    this.begin(length)
    const added = text === '' || (text !== undefined && tokens[0] === this.#model.begin) ? 1 : 0
    const pieces = new Pieces(some => this.#model.text(some, true), tokens.slice(0, added))
    let offset = 0
    return tokens.slice(added).map((token, i) => {
      const likely = this.#likely(token, offset, this.#prompt[i + added - 1])
      offset += characters(pieces.push(token))
      return likely
    })
  }

  /** Of tokens whose text begins inside what is sent with this text. */
  released(text: string): LikelyToken[] {
    this.#released += characters(text)
    const held = this.#pending.findIndex(({ offset }) => offset >= this.#base + this.#released)
    return this.#pending.splice(0, held < 0 ? this.#pending.length : held)
  }

  rest(): LikelyToken[] {
    return this.#pending.splice(0)
  }

  #likely(token: number, offset: number, measure: Measure | undefined): LikelyToken {
    return {
      bytes: this.#model.bytes(token),
      logprob: measure?.logprob ?? null,
      offset,
      ...(this.#ranked && { top: measure?.top.map(one => this.#ranking(one)) ?? [] }),
    }
  }

  #ranking({ token, logprob }: Measure['top'][number]): Likelihood {
    return { bytes: this.#model.bytes(token), logprob }
  }
}
