import type { Prompt } from './choice.ts'
import type { Measure } from './gauge.ts'
import type { Model } from './model.ts'
import type { Likelihood, LikelyToken } from './protocol.ts'
import { characters, Pieces } from './text.ts'

/** How likely the tokens of a choice were, told together with their text. */
export class LikelyTokens {
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
