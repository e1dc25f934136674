import { type Automaton, acceptsAll, characters, type Range, type State, within } from './automaton.ts'
import { type Budget, limits } from './limits.ts'
import { refuse, type Spot } from './spot.ts'

/** How the characters of an automaton stand in the grammar: as they are, or inside a JSON string. */
export type Spelling = 'text' | 'string'

/** Rules that a repetition writes out one after the other; above that, halves. */
const chainMax = 16

/**
 * The rules of one grammar in GBNF, the notation of llama.cpp. Equal rules are written once. What llama.cpp handles badly is avoided:
 * its own `{m,n}` (beyond 2,000 the upper bound is dropped in silence), rules that begin with themselves, and inverted classes
 * (characters of more than one byte that come in two tokens would be refused).
 */
export class Rules {
  private readonly bodies = new Map<string, string>()
  private readonly names = new Map<string, string>()
  private readonly automata = new Map<Automaton, string>()
  private readonly counts = new Map<string, string>()
  private size = 0
  private readonly budget: Budget

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** A name for a rule that others refer to before it is defined. */
  reserve(): string {
    const name = `r${this.bodies.size}`
    this.bodies.set(name, '')
    return name
  }

  define(name: string, body: string, spot: Spot): string {
    this.size += name.length + body.length + 6
    this.budget.spend(1 + (body.length >> 4), spot)
    if (this.size > limits.grammarCharacters) refuse(spot, 'the schema is too large to be enforced.')
    this.bodies.set(name, body)
    return name
  }

  /** The name of a rule with this body. */
  rule(body: string, spot: Spot): string {
    if (/^[a-z]\w*$/.test(body)) return body
    const known = this.names.get(body)
    if (known !== undefined) return known
    const name = this.define(this.reserve(), body, spot)
    this.names.set(body, name)
    return name
  }

  /** `max` undefined: without end. Takes about log2(max) rules, whatever the numbers. */
  repeat(item: string, min: number, max: number | undefined, spot: Spot): string {
    const required = this.exactly(item, min, spot)
    if (max === undefined) return joined(required, `${item}*`)
    return joined(required, this.upTo(item, max - min, spot))
  }

  /** The automaton's texts, followed by `after`. One automaton always has one spelling. */
  automaton(automaton: Automaton, spelling: Spelling, after: string, spot: Spot): string {
    const known = this.automata.get(automaton)
    if (known !== undefined) return known
    const { states } = automaton
    const referred = new Array<number>(states.length).fill(0)
    for (const { edges } of states) for (const { to } of edges) referred[to] = (referred[to] ?? 0) + 1
    const names = new Map<number, string>()
    const open: number[] = []
    const nameOf = (index: number) => {
      const known = names.get(index)
      if (known !== undefined) return known
      const name = this.reserve()
      names.set(index, name)
      open.push(index)
      return name
    }
    const start = nameOf(0)
    this.automata.set(automaton, start)
    for (const index of open) {
      const alternatives = this.alternatives(states, index, spelling, after, to => {
        const next = states[to]
        if (next?.edges.length === 0) return after
        return referred[to] === 1 && next?.accepting === false && next.edges.length === 1 ? undefined : nameOf(to)
      })
      this.define(nameOf(index), alternatives.map(sequence).join(' | '), spot)
    }
    return start
  }

  /** Each alternative follows its edge on to the next state that has a name, or to the end. */
  private alternatives(
    states: readonly State[],
    index: number,
    spelling: Spelling,
    after: string,
    named: (to: number) => string | undefined,
  ): string[][] {
    const state = states[index]
    if (state === undefined) return []
    if (spelling === 'string' && acceptsAll(state, index)) return [[`${this.anyCharacter()}*`, after]]
    const alternatives = state.edges.flatMap(edge => {
      let { to } = edge
      const pieces: string[] = []
      for (let name = named(to); ; name = named(to)) {
        if (name !== undefined) {
          pieces.push(name)
          break
        }
        const next = states[to]?.edges[0]
        if (next === undefined) break
        const spelt = spellings(next.ranges, spelling)
        pieces.push(spelt.length === 1 ? (spelt[0] ?? '') : `(${spelt.join(' | ')})`)
        to = next.to
      }
      return spellings(edge.ranges, spelling).map(spelt => [spelt, ...pieces])
    })
    return state.accepting ? [...alternatives, [after]] : alternatives
  }

  /** The name of the rule for one character of a JSON string, in all spellings JSON has for it. */
  anyCharacter(): string {
    this.well('char', `[\\x20-\\x21\\x23-\\x5B\\x5D-\\uD7FF\\uE000-\\U0010FFFF] | "\\\\" escape`)
    this.well('escape', `["\\\\/bfnrt] | "u" (${hexPairs} | [dD] (${lowPair} | ${pair}))`)
    return 'char'
  }

  private well(name: string, body: string): void {
    this.bodies.set(name, body)
  }

  /** The whole grammar; `root` is the expression it starts with. */
  text(root: string, spot: Spot): string {
    // Reserved for places without a value, which nothing refers to.
    const defined = [...this.bodies].filter(([, body]) => body !== '')
    const lines = [`root ::= ${root}`, ...defined.map(([name, body]) => `${name} ::= ${body}`)]
    const text = `${lines.join('\n')}\n`
    if (text.length > limits.grammarCharacters) refuse(spot, 'the schema is too large to be enforced.')
    return text
  }

  private exactly(item: string, count: number, spot: Spot): string {
    if (count === 0) return ''
    if (count <= chainMax) return Array(count).fill(item).join(' ')
    const half = this.rule(this.exactly(item, Math.floor(count / 2), spot), spot)
    return joined(half, half, count % 2 === 1 ? item : '')
  }

  /**
   * From none to `count`. In binary: the largest power of two that fits and up to the rest, or fewer than that power; so each number is
   * read in one way.
   */
  private upTo(item: string, count: number, spot: Spot): string {
    if (count <= 0) return ''
    if (count <= chainMax) return `${`(${item} `.repeat(count).trimEnd()}${')?'.repeat(count)}`
    const key = `${count} ${item}`
    const known = this.counts.get(key)
    if (known !== undefined) return known
    let power = chainMax
    while (power * 2 <= count) power *= 2
    const most = joined(this.exactly(item, power, spot), this.upTo(item, count - power, spot))
    const made = this.rule(`${most} | ${this.upTo(item, power - 1, spot)}`, spot)
    this.counts.set(key, made)
    return made
  }
}

const hexPairs = '[0-9a-cA-CefEF] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F]'
const lowPair = '[0-7] [0-9a-fA-F] [0-9a-fA-F]'
/** Two halves of a surrogate pair: one character. */
const pair = '[89abAB] [0-9a-fA-F] [0-9a-fA-F] "\\\\u" [dD] [c-fC-F] [0-9a-fA-F] [0-9a-fA-F]'

/** One after the other. By concatenation, which does not copy: parts can be long, and are put together from the end. */
export function joined(...parts: readonly string[]): string {
  return parts.reduce((all, part) => (all === '' ? part : part === '' ? all : `${all} ${part}`), '')
}

/** The text as a literal of the grammar. */
export function literal(text: string): string {
  return `"${[...text].map(character => written(character.codePointAt(0) ?? 0)).join('')}"`
}

/** Neighbouring literals become one. */
function sequence(pieces: readonly string[]): string {
  const out: string[] = []
  for (const piece of pieces) {
    const last = out.at(-1)
    if (piece === '' || piece === '""') continue
    if (last !== undefined && isLiteral(last) && isLiteral(piece))
      out[out.length - 1] = last.slice(0, -1) + piece.slice(1)
    else out.push(piece)
  }
  return out.length === 0 ? '""' : out.join(' ')
}

const isLiteral = (piece: string) => piece.startsWith('"') && piece.endsWith('"') && !piece.includes('" ')

/** Expressions that read one character of these ranges each; together they read all of them. */
function spellings(ranges: readonly Range[], spelling: Spelling): string[] {
  if (spelling === 'text') return charClass(ranges)
  const out = charClass(ranges.flatMap(range => within(range, plainInStrings)))
  const included = (code: number) => includes(ranges, code)
  const short = [...shortEscapes].filter(([code]) => included(code)).map(([, letter]) => letter)
  if (short.length > 0) out.push(`"\\\\" [${short.join('')}]`)
  for (const [start, first] of [
    ['0', 0x00],
    ['1', 0x10],
  ] as const) {
    const digits = Array.from({ length: 16 }, (_, i) => i).filter(
      i => included(first + i) && !shortEscapes.has(first + i),
    )
    if (digits.length > 0) out.push(`"\\\\u00${start}" [${digits.map(digit => digit.toString(16)).join('')}]`)
  }
  return out
}

/** Characters that JSON spells with a backslash and a letter; the other control characters take four digits. */
const shortEscapes: ReadonlyMap<number, string> = new Map([
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [0x22, '"'],
  [0x5c, '\\\\'],
])

const plainInStrings: readonly Range[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x10ffff],
]
function charClass(ranges: readonly Range[]): string[] {
  const real = ranges.flatMap(range => within(range, characters))
  const [only] = real
  if (only === undefined) return []
  if (real.length === 1 && only[0] === only[1]) return [`"${written(only[0])}"`]
  return [`[${real.map(([low, high]) => (low === high ? written(low) : `${written(low)}-${written(high)}`)).join('')}]`]
}

const includes = (ranges: readonly Range[], code: number) => ranges.some(([low, high]) => low <= code && code <= high)

/** A character inside a literal or a class. */
function written(code: number): string {
  const hex = code.toString(16).toUpperCase()
  if (code > 0xffff) return `\\U${hex.padStart(8, '0')}`
  if (code > 0x7e) return code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex}`
  const character = String.fromCharCode(code)
  return /[ !#-,./0-9:-Z_`a-z{|}~]/.test(character) ? character : `\\x${hex.padStart(2, '0')}`
}
