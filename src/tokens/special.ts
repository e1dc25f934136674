import { fault } from '../lib/faults.ts'

/** Which special tokens a text may hold, as tiktoken defines it. */
export interface SpecialOptions {
  /** Special tokens that are encoded as such; all other text that looks like one is plain text. Default: none. */
  allowedSpecial?: 'all' | Iterable<string>
  /** Texts that must not occur. Default, and `'all'`: every special token that is not allowed. An empty list turns the check off. */
  disallowedSpecial?: 'all' | Iterable<string>
}

/** A special token in a text. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly rank: number
}

/** Finds special tokens. All of them have the form `<|name|>`, so one look at each `<|` is enough: linear on every text. */
export class Specials {
  readonly ranks: ReadonlyMap<string, number>
  readonly #names: ReadonlyMap<number, string>
  readonly #longest: number

  constructor(tokens: Readonly<Record<string, number>>) {
    this.ranks = new Map(Object.entries(tokens))
    this.#names = new Map(Object.entries(tokens).map(([name, rank]) => [rank, name]))
    this.#longest = Math.max(...Object.keys(tokens).map(name => name.length))
  }

  nameOf(rank: number): string | undefined {
    return this.#names.get(rank)
  }

  /**
   * The allowed special tokens of the text, in order.
   * @throws Fault 400 `disallowed_special_token` when the text holds what is disallowed
   */
  find(text: string, options: SpecialOptions): Found[] {
    const { allowedSpecial = [], disallowedSpecial = 'all' } = options
    const allowed = allowedSpecial === 'all' ? undefined : new Set(allowedSpecial)
    const disallowed = disallowedSpecial === 'all' ? undefined : new Set(disallowedSpecial)
    for (const token of disallowed ?? []) if (text.includes(token)) throw disallowedFault(token)
    const found: Found[] = []
    for (let start = text.indexOf('<|'); start >= 0; start = text.indexOf('<|', start + 1)) {
      const close = text.slice(start + 2, start + this.#longest).indexOf('|>')
      if (close < 0) continue
      const end = start + close + 4
      const name = text.slice(start, end)
      const rank = this.ranks.get(name)
      if (rank === undefined) continue
      if (allowed === undefined || allowed.has(name)) found.push({ start, end, rank })
      else if (disallowed === undefined) throw disallowedFault(name)
    }
    return found
  }
}

const disallowedFault = (token: string) =>
  fault.invalidValue(
    'text',
    `The text contains the special token ${JSON.stringify(token.slice(0, 64))}, which is not allowed. To encode it as a special token, name it in 'allowedSpecial'; to encode it as plain text, leave it out of 'disallowedSpecial' (an empty list turns this check off).`,
    'disallowed_special_token',
  )
