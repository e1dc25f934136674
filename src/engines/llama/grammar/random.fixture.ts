import type { Random } from '../../../lib/random.ts'
import type { Json } from './nodes.ts'

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
    return Array.from({ length: this.below(8) }, () => this.pick(['a', 'B', '7', ' ', '"', '\\', '/', '\n', 'é', '漢', '🙂', '\u0007'])).join('')
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
    if (typeof value === 'string' && this.maybe()) return this.pick([`${value}x`, value.slice(1), '', value.toUpperCase()])
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
    return { schema: { type: 'string', minLength: Math.max(0, length - chance.below(3)), maxLength: length + chance.below(40) }, value }
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
    return { schema: { type: 'integer', minimum: value - chance.below(500), maximum: value + chance.below(500) }, value }
  },
  chance => {
    const value = chance.between(-50, 50)
    const divisor = chance.pick([1, 2, 5, 7, 10, 25])
    return { schema: { type: 'integer', multipleOf: divisor, exclusiveMinimum: value * divisor - 1 }, value: value * divisor }
  },
  chance => {
    const value = chance.between(-3000, 3000) / 100
    const schema = { type: 'number', exclusiveMinimum: value - 0.01 - chance.below(9), maximum: value + chance.below(9) }
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
  const names = ['a', 'ab', 'b', '"', 'k\n', 'é'].slice(0, chance.between(1, 6))
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
  return { schema: { type: 'object', additionalProperties: inner.schema, maxProperties: count + chance.below(3) }, value }
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
  return { schema: { type: 'array', prefixItems: parts.map(part => part.schema), items: false, minItems: count }, value }
}

function anyOfCase(chance: Chance, depth: number): Case {
  const parts = [chance.schema(depth), chance.schema(depth)]
  return { schema: { anyOf: parts.map(part => part.schema) }, value: chance.pick([parts[0]?.value ?? null, parts[1]?.value ?? null]) }
}

function allOfCase(chance: Chance, depth: number): Case {
  const part = chance.schema(depth)
  return { schema: { allOf: [part.schema, {}], $defs: { unused: { not: {} } } }, value: part.value }
}
