/** What a run of characters was read as. `pair` is two Han characters that stand side by side; `silent` is punctuation. */
export type TokenKind = 'word' | 'number' | 'digit' | 'han' | 'pair' | 'symbol' | 'silent'

export type TokenVisitor = (kind: TokenKind, token: string) => void

/** Longest word or number, in characters: longer runs are cut, so that the work per token is bounded. */
export const LONGEST_RUN = 32

/**
 * Reads a text from left to right into tokens, in time linear in its length, and can stop after any number of UTF-16 units.
 *
 * Tokens are case-folded words without accents (an apostrophe inside a word is kept), whole numbers and their single digits,
 * single Han characters (traditional forms folded to simplified ones by `variants`) and pairs of adjacent ones, symbols such as
 * emoji, and punctuation marks, which are reported as `silent`. White space and combining marks are no tokens.
 */
export class TokenReader {
  readonly #text: string
  readonly #variants: ReadonlyMap<string, string>
  #at = 0
  #word = ''
  #wordLength = 0
  #number = ''
  #han = ''

  constructor(text: string, variants: ReadonlyMap<string, string>) {
    this.#text = text
    this.#variants = variants
  }

  /** Reads at most `maxUnits` UTF-16 units (and one more when that splits a character). Returns whether anything is left. */
  read(maxUnits: number, visit: TokenVisitor): boolean {
    const end = Math.min(this.#text.length, this.#at + maxUnits)
    while (this.#at < end) {
      const code = this.#text.codePointAt(this.#at) ?? 0
      this.#at += code > 0xffff ? 2 : 1
      this.#take(code, visit)
    }
    if (this.#at < this.#text.length) return true
    this.#endRuns(visit)
    return false
  }

  #take(code: number, visit: TokenVisitor): void {
    const { kind, folded } = characterOf(code)
    if (kind === 'combining') return
    if (kind === 'letter') {
      if (this.#number !== '') this.#endNumber(visit)
      this.#han = ''
      this.#word += folded
      if (++this.#wordLength >= LONGEST_RUN) this.#endWord(visit)
      return
    }
    if (kind === 'apostrophe' && this.#wordLength > 0 && this.#apostropheJoins()) {
      this.#word += "'"
      return
    }
    this.#endWord(visit)
    if (kind === 'digit') {
      this.#han = ''
      this.#number += folded
      visit('digit', folded)
      if (this.#number.length >= LONGEST_RUN) this.#endNumber(visit)
      return
    }
    this.#endNumber(visit)
    if (kind === 'han') {
      const han = this.#variants.get(folded) ?? folded
      visit('han', han)
      if (this.#han !== '') visit('pair', this.#han + han)
      this.#han = han
      return
    }
    this.#han = ''
    if (kind === 'symbol') visit('symbol', folded)
    else if (kind !== 'space') visit('silent', folded)
  }

  #apostropheJoins(): boolean {
    const next = this.#text.codePointAt(this.#at)
    return next !== undefined && characterOf(next).kind === 'letter'
  }

  #endRuns(visit: TokenVisitor): void {
    this.#endWord(visit)
    this.#endNumber(visit)
  }

  #endWord(visit: TokenVisitor): void {
    if (this.#word !== '') visit('word', this.#word)
    this.#word = ''
    this.#wordLength = 0
  }

  #endNumber(visit: TokenVisitor): void {
    if (this.#number !== '') visit('number', this.#number)
    this.#number = ''
  }
}

type CharacterKind = 'letter' | 'han' | 'digit' | 'symbol' | 'silent' | 'space' | 'combining' | 'apostrophe'
interface Character {
  readonly kind: CharacterKind
  /** Lower case, compatibility forms resolved, accents removed. */
  readonly folded: string
}

/** Characters seen so far; bounded by the size of the basic plane, characters beyond it are worked out each time. */
const seen: (Character | undefined)[] = []

function characterOf(code: number): Character {
  if (code > 0xffff) return readCharacter(code)
  const known = seen[code]
  if (known !== undefined) return known
  const read = readCharacter(code)
  seen[code] = read
  return read
}

function readCharacter(code: number): Character {
  const char = String.fromCodePoint(code)
  if (char === "'" || char === '’' || char === 'ʼ') return { kind: 'apostrophe', folded: "'" }
  if (/^(?:\p{M}|\p{Cf})$/u.test(char)) return { kind: 'combining', folded: '' }
  if (/^[\s\p{Z}\p{Cc}]$/u.test(char)) return { kind: 'space', folded: '' }
  if (/^\p{Script=Hangul}$/u.test(char)) return { kind: 'letter', folded: char }
  const folded = fold(char)
  if (/^\p{Script=Han}$/u.test(folded)) return { kind: 'han', folded }
  if (/^\p{Nd}$/u.test(folded)) return { kind: 'digit', folded }
  if (/^[\p{L}\p{N}]$/u.test(char)) return { kind: 'letter', folded }
  if (/^\p{S}$/u.test(char)) return { kind: 'symbol', folded: char }
  return { kind: 'silent', folded: char }
}

function fold(char: string): string {
  const plain = char
    .normalize('NFKD')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\p{M}\s]/gu, '')
  return plain === '' ? char : plain
}
