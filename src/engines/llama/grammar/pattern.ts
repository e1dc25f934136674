import { type Automaton, anyCharacter, characters, complement, Draft, type Range, union, within } from './automaton.ts'
import { type Budget, limits } from './limits.ts'
import { quoted, refuse, type Spot } from './spot.ts'

/**
 * Regular expressions of JSON Schema (ECMA-262 with the `u` flag) as automata. What is no regular language or would need much work
 * is refused: lookaround, back references, word boundaries, Unicode properties, inline flags. As JSON Schema wants it, a pattern
 * without anchors may match anywhere in the text.
 *
 * @returns undefined when no text can match
 * @throws fault.invalidValue for what is broken, unsupported or too large
 */
export function patternAutomaton(source: string, budget: Budget, spot: Spot): Automaton | undefined {
  if (source.length > limits.patternCharacters)
    refuse(spot, `a pattern can have at most ${limits.patternCharacters} characters.`)
  budget.spend(source.length, spot)
  const expression = new Reader(source, spot).read()
  const draft = new Draft(budget, spot)
  const start = draft.state()
  const matched = append(draft, expression, start, budget, spot)
  const anywhere = draft.state()
  draft.jump(matched, anywhere)
  draft.ends.add(anywhere)
  draft.move(anywhere, anyCharacter, anywhere)
  draft.move(start, anyCharacter, start)
  return draft.determined()
}

type Expression =
  | { kind: 'set'; ranges: readonly Range[] }
  | { kind: 'sequence'; parts: readonly Expression[] }
  | { kind: 'choice'; options: readonly Expression[] }
  | { kind: 'repeat'; part: Expression; min: number; max: number }
  | { kind: 'anchor'; at: 'start' | 'end' }

/** Adds what the expression reads after a state, and gives the state in which it has been read. */
function append(draft: Draft, expression: Expression, from: number, budget: Budget, spot: Spot): number {
  budget.spend(1, spot)
  switch (expression.kind) {
    case 'set': {
      const to = draft.state()
      draft.move(
        from,
        expression.ranges.flatMap(range => within(range, characters)),
        to,
      )
      return to
    }
    case 'sequence':
      return expression.parts.reduce((at, part) => append(draft, part, at, budget, spot), from)
    case 'choice': {
      const to = draft.state()
      for (const option of expression.options) {
        const start = draft.state()
        draft.jump(from, start)
        draft.jump(append(draft, option, start, budget, spot), to)
      }
      return to
    }
    case 'repeat':
      return appendRepeated(draft, expression, from, budget, spot)
    case 'anchor': {
      const to = draft.state()
      draft.jump(from, to, expression.at)
      return to
    }
  }
}

function appendRepeated(
  draft: Draft,
  { part, min, max }: Expression & { kind: 'repeat' },
  from: number,
  budget: Budget,
  spot: Spot,
): number {
  let at = from
  for (let i = 0; i < min; i++) at = append(draft, part, at, budget, spot)
  const to = draft.state()
  if (max === Infinity) {
    const loop = draft.state()
    draft.jump(at, loop)
    draft.jump(append(draft, part, loop, budget, spot), loop)
    draft.jump(loop, to)
    return to
  }
  for (let i = min; i < max; i++) {
    draft.jump(at, to)
    const start = draft.state()
    draft.jump(at, start)
    at = append(draft, part, start, budget, spot)
  }
  draft.jump(at, to)
  return to
}

const code = (character: string) => character.codePointAt(0) ?? 0
const one = (character: string): Range => [code(character), code(character)]
const span = (low: string, high: string): Range => [code(low), code(high)]

const digits = [span('0', '9')]
const wordCharacters = [span('0', '9'), span('A', 'Z'), one('_'), span('a', 'z')]
/** WhiteSpace and LineTerminator of ECMA-262. */
const spaces: Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]
const lineEnds: Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]
const classes: Readonly<Record<string, readonly Range[]>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
}
const controls: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d }

/** Reads one regular expression. Never goes back, so that its work is in proportion to the length. */
class Reader {
  private readonly characters: readonly string[]
  private readonly spot: Spot
  private at = 0
  private depth = 0

  constructor(source: string, spot: Spot) {
    this.characters = [...source]
    this.spot = spot
  }

  read(): Expression {
    const expression = this.choice()
    if (this.at < this.characters.length) this.refuse(`an unexpected '${this.peek()}'`)
    return expression
  }

  private choice(): Expression {
    if (++this.depth > limits.patternGroupDepth) this.refuse('groups nested so deeply')
    const options = [this.sequence()]
    while (this.take('|')) options.push(this.sequence())
    this.depth--
    return options.length === 1 && options[0] !== undefined ? options[0] : { kind: 'choice', options }
  }

  private sequence(): Expression {
    const parts: Expression[] = []
    while (this.at < this.characters.length && this.peek() !== '|' && this.peek() !== ')') {
      if (this.take('^')) parts.push({ kind: 'anchor', at: 'start' })
      else if (this.take('$')) parts.push({ kind: 'anchor', at: 'end' })
      else parts.push(this.quantified(this.atom()))
    }
    return { kind: 'sequence', parts }
  }

  private atom(): Expression {
    const character = this.next()
    switch (character) {
      case '(':
        return this.group()
      case '[':
        return { kind: 'set', ranges: this.set() }
      case '.':
        return { kind: 'set', ranges: complement(lineEnds) }
      case '\\':
        return { kind: 'set', ranges: this.escape() }
      case '*':
      case '+':
      case '?':
      case '{':
        return this.refuse(`a '${character}' with nothing before it`)
      default:
        return { kind: 'set', ranges: [one(character)] }
    }
  }

  private group(): Expression {
    if (this.take('?') && !this.take(':')) {
      if (!this.take('<') || this.peek() === '=' || this.peek() === '!') this.refuse('lookaround or inline flags')
      while (!this.take('>')) if (!/^[\p{ID_Continue}$]$/u.test(this.next())) this.refuse('a broken group name')
    }
    const inside = this.choice()
    if (!this.take(')')) this.refuse('a group without its end')
    return inside
  }

  private quantified(part: Expression): Expression {
    const bounds = this.quantifier()
    if (bounds === undefined) return part
    this.take('?')
    if (bounds.min > bounds.max) this.refuse('a repetition whose bounds are in the wrong order')
    if ('*+?{'.includes(this.peek() || ' ')) this.refuse('a repetition of a repetition')
    return { kind: 'repeat', part, ...bounds }
  }

  private quantifier(): { min: number; max: number } | undefined {
    if (this.take('*')) return { min: 0, max: Infinity }
    if (this.take('+')) return { min: 1, max: Infinity }
    if (this.take('?')) return { min: 0, max: 1 }
    if (!this.take('{')) return undefined
    const min = this.count()
    const max = !this.take(',') ? min : this.peek() === '}' ? Infinity : this.count()
    if (!this.take('}')) this.refuse("a broken '{…}'")
    return { min, max }
  }

  private count(): number {
    let text = ''
    while (/^[0-9]$/.test(this.peek())) text += this.next()
    if (text === '') this.refuse("a broken '{…}'")
    if (Number(text) > limits.states) this.refuse(`a repetition of more than ${limits.states} times`)
    return Number(text)
  }

  /** After the `[`. */
  private set(): readonly Range[] {
    const inverted = this.take('^')
    const ranges: Range[] = []
    while (!this.take(']')) {
      const low = this.member()
      const more = this.characters[this.at + 1]
      if (this.peek() !== '-' || more === ']' || more === undefined) {
        ranges.push(...low)
        continue
      }
      this.next()
      const high = this.member()
      const first = single(low)
      const last = single(high)
      if (first === undefined || last === undefined || first > last) return this.refuse('a broken range in a class')
      ranges.push([first, last])
    }
    return inverted ? complement(ranges) : union(ranges)
  }

  private member(): readonly Range[] {
    const character = this.next()
    if (character !== '\\') return [one(character)]
    if (this.take('b')) return [[0x08, 0x08]]
    if (this.take('-')) return [one('-')]
    return this.escape()
  }

  /** After the backslash. */
  private escape(): readonly Range[] {
    const character = this.next()
    const known = Object.hasOwn(classes, character) ? classes[character] : undefined
    if (known !== undefined) return known
    const control = Object.hasOwn(controls, character) ? controls[character] : undefined
    if (control !== undefined) return [[control, control]]
    if (character === '0' && !/^[0-9]$/.test(this.peek())) return [[0, 0]]
    if (character === 'x') return this.coded(this.hex(2))
    if (character === 'u') return this.coded(this.unicode())
    if (character === 'b' || character === 'B') this.refuse('word boundaries')
    if (character === 'p' || character === 'P') this.refuse('Unicode properties')
    if (character === 'k' || /^[1-9]$/.test(character)) this.refuse('back references')
    if (/^[A-Za-z0-9]$/.test(character)) this.refuse(`the escape '\\${character}'`)
    return [one(character)]
  }

  private unicode(): number {
    if (this.take('{')) {
      let text = ''
      while (!this.take('}')) text += this.hexDigit()
      const value = Number.parseInt(text, 16)
      return text.length <= 8 && value <= 0x10ffff ? value : this.refuse('a code point that does not exist')
    }
    const first = this.hex(4)
    if (first < 0xd800 || first > 0xdbff) return first
    if (!(this.take('\\') && this.take('u'))) this.refuse('half a surrogate pair')
    const second = this.hex(4)
    if (second < 0xdc00 || second > 0xdfff) this.refuse('half a surrogate pair')
    return 0x10000 + (first - 0xd800) * 0x400 + (second - 0xdc00)
  }

  private hex(length: number): number {
    let text = ''
    while (text.length < length) text += this.hexDigit()
    return Number.parseInt(text, 16)
  }

  private hexDigit(): string {
    const digit = this.next()
    return /^[0-9a-fA-F]$/.test(digit) ? digit : this.refuse('a broken escape')
  }

  private coded(value: number): readonly Range[] {
    if (value >= 0xd800 && value <= 0xdfff) this.refuse('half a surrogate pair')
    return [[value, value]]
  }

  private peek(): string {
    return this.characters[this.at] ?? ''
  }

  private next(): string {
    return this.characters[this.at++] ?? this.refuse('an early end')
  }

  private take(character: string): boolean {
    if (this.peek() !== character) return false
    this.at++
    return true
  }

  private refuse(what: string): never {
    return refuse(this.spot, `the pattern ${quoted(this.characters.join(''))} has ${what}, which is not supported.`)
  }
}

function single(ranges: readonly Range[]): number | undefined {
  const [range] = ranges
  return ranges.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : undefined
}
