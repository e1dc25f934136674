import type { Random } from '../../../lib/random.ts'
import type { Json } from './nodes.ts'

/**
 * A reader of GBNF for tests, independent of what writes it: parses the notation as llama.cpp does and follows all readings of a text
 * at once, with a bound on their number.
 */
export interface Matcher {
  matches(text: string): boolean
  /** Whether the text can be continued to a match. */
  begins(text: string): boolean
  /** The most readings ever followed at once. */
  readonly readingsMost: number
  /** A text of the grammar; `choose(n)` gives a number below n. Undefined when it becomes longer than the limit. */
  sample(choose: (count: number) => number, lengthMax?: number): string | undefined
}

type Element = { set: [number, number][]; inverted: boolean } | { rule: string }
type Body = Element[][]
/** What is still to be read: linked, shared between readings. */
type Stack = { body: Element[]; at: number; below: Stack; id: number } | null

export function matcher(grammar: string): Matcher {
  const rules = new GbnfParser(grammar).parse()
  const run = new Run(rules)
  return {
    matches: text => run.read(text)?.some(stack => stack === null) === true,
    begins: text => run.read(text) !== undefined,
    sample: (choose, lengthMax = 2_000) => sampled(rules, choose, lengthMax),
    get readingsMost() {
      return run.most
    },
  }
}

class Run {
  most = 0
  private readonly rules: ReadonlyMap<string, Body>
  private readonly known = new Map<string, NonNullable<Stack>>()
  private readonly ids = new Map<Element[], number>()

  constructor(rules: ReadonlyMap<string, Body>) {
    this.rules = rules
  }

  read(text: string): Stack[] | undefined {
    let stacks = this.expanded([this.push([{ rule: 'root' }], 0, null)])
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0
      const next = stacks.flatMap(stack => {
        const element = stack?.body[stack.at]
        if (stack === null || element === undefined || 'rule' in element) return []
        const inside = element.set.some(([low, high]) => low <= code && code <= high)
        return inside === element.inverted ? [] : [this.push(stack.body, stack.at + 1, stack.below)]
      })
      stacks = this.expanded(next)
      this.most = Math.max(this.most, stacks.length)
      if (this.most > 20_000) throw new Error('The grammar has too many readings')
      if (stacks.length === 0) return undefined
    }
    return stacks
  }

  /** Stacks whose top is a character, or null where the text may end. */
  private expanded(from: readonly Stack[]): Stack[] {
    const seen = new Set<Stack>(from)
    const out: Stack[] = []
    for (const stack of seen) {
      const element = stack?.body[stack.at]
      if (stack === null || element === undefined || !('rule' in element)) {
        out.push(stack)
        continue
      }
      const below = this.push(stack.body, stack.at + 1, stack.below)
      for (const body of this.rules.get(element.rule) ?? []) seen.add(this.push(body, 0, below))
    }
    return out
  }

  /** Equal stacks are one object; finished levels are left out. */
  private push(body: Element[], at: number, below: Stack): Stack {
    if (at >= body.length) return below
    const bodyId = this.ids.get(body) ?? this.ids.size
    this.ids.set(body, bodyId)
    const key = `${bodyId} ${at} ${below === null ? '' : below.id}`
    const known = this.known.get(key)
    if (known !== undefined) return known
    const made = { body, at, below, id: this.known.size }
    this.known.set(key, made)
    return made
  }
}

function sampled(rules: ReadonlyMap<string, Body>, choose: (count: number) => number, lengthMax: number) {
  let text = ''
  const stack: Element[] = [{ rule: 'root' }]
  for (let element = stack.pop(); element !== undefined; element = stack.pop()) {
    if (text.length > lengthMax || stack.length > 10_000) return undefined
    if ('rule' in element) {
      const bodies = rules.get(element.rule) ?? []
      const body = bodies[choose(bodies.length)] ?? []
      for (const inner of body.toReversed()) stack.push(inner)
      continue
    }
    const [low, high] = element.set[choose(element.set.length)] ?? [0x20, 0x20]
    const code = low + choose(Math.min(high - low + 1, 200))
    text += String.fromCodePoint(code)
  }
  return text
}

class GbnfParser {
  private at = 0
  private readonly rules = new Map<string, Body>()
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  parse(): ReadonlyMap<string, Body> {
    this.space(true)
    while (this.at < this.text.length) {
      const name = this.match(/[a-zA-Z0-9-]+/y) ?? this.fail('a name')
      this.space(false)
      if (this.match(/::=/y) === undefined) this.fail('::=')
      this.space(true)
      this.rules.set(name, this.alternatives(name, false))
      if (this.at < this.text.length && this.match(/\r?\n/y) === undefined) this.fail('a line end')
      this.space(true)
    }
    for (const body of this.rules.values())
      for (const element of body.flat())
        if ('rule' in element && !this.rules.has(element.rule)) throw new Error(`Undefined rule ${element.rule}`)
    return this.rules
  }

  private alternatives(name: string, nested: boolean): Body {
    const body = [this.sequence(name, nested)]
    while (this.match(/\|/y) !== undefined) {
      this.space(true)
      body.push(this.sequence(name, nested))
    }
    return body
  }

  private sequence(name: string, nested: boolean): Element[] {
    const out: Element[] = []
    let last = 0
    for (;;) {
      const next = this.text[this.at]
      if (next === '"') {
        last = out.length
        out.push(...this.literal())
      } else if (next === '[') {
        last = out.length
        out.push(this.charClass())
      } else if (next === '(') {
        last = out.length
        this.at++
        this.space(true)
        const body = this.alternatives(name, true)
        if (this.match(/\)/y) === undefined) this.fail(')')
        out.push({ rule: this.fresh(name, body) })
      } else if (next === '*' || next === '+' || next === '?') {
        this.at++
        const repeated = out.splice(last)
        if (repeated.length === 0) this.fail('something to repeat')
        const again = this.fresh(name, [])
        this.rules.set(again, [next === '?' ? repeated : [...repeated, { rule: again }], []])
        if (next === '+') out.push(...repeated)
        out.push({ rule: again })
      } else {
        const reference = this.match(/[a-zA-Z0-9-]+/y)
        if (reference === undefined) return out
        last = out.length
        out.push({ rule: reference })
      }
      this.space(nested)
    }
  }

  private literal(): Element[] {
    const out: Element[] = []
    this.at++
    while (this.text[this.at] !== '"') {
      const code = this.character()
      out.push({ set: [[code, code]], inverted: false })
    }
    this.at++
    return out
  }

  private charClass(): Element {
    this.at++
    const inverted = this.match(/\^/y) !== undefined
    const set: [number, number][] = []
    while (this.text[this.at] !== ']') {
      const low = this.character()
      const isRange = this.text[this.at] === '-' && this.text[this.at + 1] !== ']'
      if (isRange) this.at++
      set.push([low, isRange ? this.character() : low])
    }
    this.at++
    return { set, inverted }
  }

  private character(): number {
    const escaped = this.match(/\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[trn\\"[\]-])/y)
    if (escaped === undefined) {
      const code = this.text.codePointAt(this.at)
      if (code === undefined || code === 0x5c) return this.fail('a character')
      this.at += code > 0xffff ? 2 : 1
      return code
    }
    if (/^\\[xuU]/.test(escaped)) return Number.parseInt(escaped.slice(2), 16)
    return { t: 9, r: 13, n: 10 }[escaped[1] ?? ''] ?? escaped.charCodeAt(1)
  }

  private fresh(name: string, body: Body): string {
    const made = `${name}-${this.rules.size}`
    this.rules.set(made, body)
    return made
  }

  private space(lineEnds: boolean): void {
    this.match(lineEnds ? /[ \t\r\n]*/y : /[ \t]*/y)
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    this.at += found?.length ?? 0
    return found
  }

  private fail(wanted: string): never {
    throw new Error(`Expected ${wanted} at ${this.at}: ${this.text.slice(this.at, this.at + 60)}`)
  }
}

/** Random schemas that the module covers, values that satisfy them, and changed copies, for tests. */
export class Chance {
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  /** Below `count`. */
  readonly below = (count: number) => this.random.uint32() % count
  readonly between = (low: number, high: number) => low + this.below(high - low + 1)
  readonly maybe = (percent = 50) => this.below(100) < percent
  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0]
  }

  /** With a value that satisfies the schema and is written as the grammar has it. */
  schema(depth: number): { schema: Record<string, Json>; value: Json } {
    const leaf = this.pick(leaves)
    if (depth === 0 || this.maybe(30)) return leaf(this)
    return this.pick([objectCase, arrayCase, objectCase, anyOfCase, tupleCase, allOfCase, mapCase])(this, depth - 1)
  }

  text(): string {
    return Array.from({ length: this.below(8) }, () =>
      this.pick(['a', 'B', '7', ' ', '"', '\\', '/', '\n', 'é', '漢', '🙂', '\u0007']),
    ).join('')
  }

  /** A copy of the value with one part changed. */
  changed(value: Json): Json {
    if (Array.isArray(value) && value.length > 0 && this.maybe(80)) {
      const at = this.below(value.length)
      return this.pick([
        () => value.with(at, this.changed(value[at] ?? null)),
        () => [...value, value[at] ?? null],
        () => value.toSpliced(at, 1),
      ])()
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && this.maybe(80)) {
      const entries = Object.entries(value)
      const at = this.below(entries.length + 1)
      const [key, inner] = entries[at] ?? ['added', null]
      return this.pick<() => Json>([
        () => ({ ...value, [key]: this.changed(inner) }),
        () => Object.fromEntries(entries.toSpliced(at, 1)),
        () => ({ ...value, [this.text()]: inner }),
      ])()
    }
    if (typeof value === 'number' && this.maybe()) return this.pick([value + 1, -value, value + 0.5, value * 10, 0])
    if (typeof value === 'string' && this.maybe())
      return this.pick([`${value}x`, value.slice(1), '', value.toUpperCase()])
    return this.pick<Json>([null, true, 1, 1.5, '', 'x', [], {}, [null], { a: 1 }])
  }
}

type Case = { schema: Record<string, Json>; value: Json }

const leaves: readonly [(chance: Chance) => Case, ...((chance: Chance) => Case)[]] = [
  () => ({ schema: { type: 'null' }, value: null }),
  chance => ({ schema: { type: 'boolean' }, value: chance.maybe() }),
  chance => ({ schema: { type: 'string' }, value: chance.text() }),
  chance => {
    const value = chance.text()
    const length = [...value].length
    return {
      schema: {
        type: 'string',
        minLength: Math.max(0, length - chance.below(3)),
        maxLength: length + chance.below(40),
      },
      value,
    }
  },
  chance => {
    const [pattern, ...values] = chance.pick<[string, string, ...string[]]>([
      ['^[a-z]{2,4}$', 'ab', 'abcd'],
      ['^(?:foo|bar)+$', 'foo', 'barfoo'],
      ['\\d', 'a1', '9'],
      ['^"\\\\?\\n*$', '"', '"\\', '"\n\n'],
      ['^[^a-y]*$', '', 'z漢'],
      ['x$', 'x', '"x'],
      ['^\\w+@\\w+\\.com$', 'a@b.com'],
    ])
    return { schema: { type: 'string', pattern }, value: chance.pick(values) }
  },
  chance => {
    const value = chance.between(-3000, 3000)
    return {
      schema: { type: 'integer', minimum: value - chance.below(500), maximum: value + chance.below(500) },
      value,
    }
  },
  chance => {
    const value = chance.between(-50, 50)
    const divisor = chance.pick([1, 2, 5, 7, 10, 25])
    return {
      schema: { type: 'integer', multipleOf: divisor, exclusiveMinimum: value * divisor - 1 },
      value: value * divisor,
    }
  },
  chance => {
    const value = chance.between(-3000, 3000) / 100
    const schema = {
      type: 'number',
      exclusiveMinimum: value - 0.01 - chance.below(9),
      maximum: value + chance.below(9),
    }
    return { schema, value }
  },
  chance => ({ schema: { type: chance.pick(['number', 'integer']) }, value: chance.between(-1e9, 1e9) }),
  chance => {
    const values: [Json, ...Json[]] = [chance.text(), chance.between(-5, 5), null, { a: [chance.text()] }, 'ab', 'abc']
    return { schema: chance.maybe() ? { enum: [...new Set(values)] } : { const: values[0] }, value: values[0] }
  },
  chance => ({ schema: { type: ['string', 'null'] }, value: chance.pick([null, 'q']) }),
  chance => ({ schema: {}, value: chance.pick<Json>([{ a: [1, { b: null }] }, [], 'x', 1e3]) }),
]

function objectCase(chance: Chance, depth: number): Case {
  const names = ['a', 'ab', 'b', 'bcd', 'k-1', 'é'].slice(0, chance.between(1, 6))
  const properties: Record<string, Json> = {}
  const required: string[] = []
  const value: Record<string, Json> = {}
  for (const name of names) {
    const inner = chance.schema(depth)
    properties[name] = inner.schema
    if (chance.maybe(60)) required.push(name)
    if (required.includes(name) || chance.maybe()) value[name] = inner.value
  }
  const schema: Record<string, Json> = { type: 'object', properties, required, additionalProperties: false }
  if (chance.maybe(30)) {
    schema.additionalProperties = { type: 'integer' }
    if (chance.maybe()) value.abc = 4
  }
  return { schema, value }
}

function mapCase(chance: Chance, depth: number): Case {
  const inner = chance.schema(depth)
  const count = chance.below(4)
  const value = Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, inner.value]))
  return {
    schema: { type: 'object', additionalProperties: inner.schema, maxProperties: count + chance.below(3) },
    value,
  }
}

function arrayCase(chance: Chance, depth: number): Case {
  const inner = chance.schema(depth)
  const count = chance.below(5)
  const schema: Record<string, Json> = { type: 'array', items: inner.schema }
  if (chance.maybe()) schema.minItems = Math.max(0, count - chance.below(3))
  if (chance.maybe()) schema.maxItems = count + chance.below(60)
  return { schema, value: Array<Json>(count).fill(inner.value) }
}

function tupleCase(chance: Chance, depth: number): Case {
  const parts = [chance.schema(depth), chance.schema(depth), chance.schema(depth)]
  const count = chance.between(0, 3)
  const value = parts.slice(0, count).map(part => part.value)
  return {
    schema: { type: 'array', prefixItems: parts.map(part => part.schema), items: false, minItems: count },
    value,
  }
}

function anyOfCase(chance: Chance, depth: number): Case {
  const parts = [chance.schema(depth), chance.schema(depth)]
  return {
    schema: { anyOf: parts.map(part => part.schema) },
    value: chance.pick([parts[0]?.value ?? null, parts[1]?.value ?? null]),
  }
}

function allOfCase(chance: Chance, depth: number): Case {
  const part = chance.schema(depth)
  return { schema: { allOf: [part.schema, {}], $defs: { unused: { not: {} } } }, value: part.value }
}
