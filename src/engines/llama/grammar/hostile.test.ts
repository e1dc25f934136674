import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import { seededRandom } from '../../../lib/random.ts'
import { Chance, matcher } from './harness.ts'
import { limits } from './limits.ts'
import type { Json } from './nodes.ts'
import { schemaToGrammar } from './schema.ts'

const place = { param: 'tools.0.function.parameters', subject: "function 'f'" }

/** The grammar, or undefined when the schema is refused; anything else fails. */
function attempt(schema: unknown) {
  try {
    const grammar = schemaToGrammar(schema, place)
    assert.ok(grammar.steps <= limits.steps && grammar.text.length <= limits.grammarCharacters)
    return grammar
  } catch (error) {
    assert.ok(error instanceof Fault, error instanceof Error ? error.stack : String(error))
    assert.equal(error.code, 'invalid_json_schema')
    assert.ok(error.param?.startsWith(place.param))
    assert.ok(error.message.length < 12_000)
    return undefined
  }
}

const words = [
  'type',
  'enum',
  'const',
  'anyOf',
  'allOf',
  'oneOf',
  '$ref',
  '$defs',
  'items',
  'prefixItems',
  'properties',
  'required',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'multipleOf',
  'exclusiveMinimum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'additionalProperties',
  'nullable',
  '__proto__',
  'constructor',
  'toString',
  'uniqueItems',
  'not',
  'object',
  'array',
  'string',
  '#',
  '#/$defs/a',
  '#/properties/a',
  'int32',
  'constructor',
  'date',
  '(a{1,999}){1,999}',
  '(((',
  '[z-a]',
  '\\',
  'a|',
  '^$',
  '\u{10ffff}',
  '',
] as const
const values: readonly [Json, ...Json[]] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  5e-324,
  2 ** 53,
  -0,
  [],
  {},
  [[]],
  [{}],
  { a: {} },
  [null],
  ['a', 'a'],
]

function mutated(chance: Chance, value: Json, depth = 0): Json {
  const word = () => words[chance.below(words.length)] ?? ''
  if (depth > 8 || chance.maybe(7)) return chance.maybe() ? chance.pick(values) : word()
  if (Array.isArray(value)) {
    const items = value.map(item => (chance.maybe(30) ? mutated(chance, item, depth + 1) : item))
    return chance.maybe(10) ? [...items, chance.pick(values)] : items
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
    if (chance.maybe(5)) return []
    return [[chance.maybe(6) ? word() : key, chance.maybe(40) ? mutated(chance, inner, depth + 1) : inner]]
  })
  if (chance.maybe(20)) entries.push([word(), chance.maybe() ? chance.pick(values) : chance.schema(1).schema])
  return Object.fromEntries(entries)
}

const names = (count: number, make: (i: number) => Json) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, make(i)]))
const chain = (make: (next: Json) => Json) => ({
  $defs: { ...names(60, i => make({ $ref: `#/$defs/p${i + 1}` })), p60: { type: 'null' } },
  $ref: '#/$defs/p0',
})
const bombs: Record<string, unknown> = {
  properties: { type: 'object', properties: names(50_000, () => ({})) },
  'optional properties': { type: 'object', properties: names(1_000, () => ({})) },
  enumeration: { enum: Array.from({ length: 50_000 }, (_, i) => `value ${i}`) },
  'one long value': { const: 'x'.repeat(10_000_000) },
  'counts beyond all bounds': {
    type: 'array',
    items: { type: 'string', minLength: 1e15 },
    minItems: 2 ** 52,
    maxItems: 2 ** 53 - 1,
  },
  'counts inside counts': chain(next => ({ type: 'array', items: next, minItems: 1e6, maxItems: 1e7 })),
  'choices times choices': {
    allOf: Array.from({ length: 30 }, (_, i) => ({ anyOf: [{ minLength: i }, { maxLength: 99 + i }] })),
  },
  'many allOf': { allOf: Array.from({ length: 50_000 }, () => ({})) },
  'many anyOf of one': { allOf: Array.from({ length: 15_000 }, () => ({ anyOf: [{}] })) },
  'a thousand laughs': chain(next => ({ type: 'object', properties: { x: next, y: next }, required: ['x', 'y'] })),
  'laughs in anyOf': chain(next => ({ anyOf: [next, { type: 'array', items: next }] })),
  'a chain of references': {
    $defs: { ...names(15_000, i => ({ $ref: `#/$defs/p${i + 1}` })), p15000: {} },
    $ref: '#/$defs/p0',
  },
  'laughs in allOf': chain(next => ({ allOf: [next, next, {}] })),
  'readings that multiply': chain(next => ({
    anyOf: ['p', 'q'].map(name => ({ type: 'object', properties: { x: next, [name]: {} }, required: ['x', name] })),
  })),
  'an ambiguous pattern': { pattern: '^(a|a|aa)+(a|aa)+$' },
  'a pattern of many states': { pattern: '(.*a){40}.{20}' },
  'nested counts in a pattern': { pattern: '((((a{1,30}){1,30}){1,30}){1,30})' },
  'empty counts in a pattern': { pattern: '((((){999}){999}){999}){999}' },
  'a pattern of groups': { pattern: '('.repeat(1_900) },
  'many patterns': {
    allOf: Array.from({ length: 50 }, (_, i) => ({ pattern: `^.*${String.fromCharCode(97 + (i % 26))}.{3}` })),
  },
  'a pattern and lengths': { pattern: '^([a-z]{3}|[a-m]{5})*$', minLength: 1_000, maxLength: 2_900 },
  'a large divisor': { type: 'number', multipleOf: 99_991 },
  'a small divisor': { type: 'number', multipleOf: 5e-324 },
  'huge bounds': { type: 'number', minimum: -1e308, maximum: 1e308 },
  nesting: JSON.parse(`${'[{"allOf":'.repeat(3_000)}1${'}]'.repeat(3_000)}`),
}

describe('hostile schemas', () => {
  for (const [name, schema] of Object.entries(bombs))
    it(`${name}: a fault or a grammar, within the bound on work`, () => void attempt(schema))

  it('5,000 changed schemas: a fault or a grammar that can be read', () => {
    const prototype = Object.getOwnPropertyNames(Object.prototype).join()
    let grammars = 0
    for (let seed = 0; seed < 5_000; seed++) {
      const chance = new Chance(seededRandom(seed))
      const grammar = attempt(mutated(chance, chance.schema(2).schema))
      if (grammar === undefined) continue
      grammars++
      matcher(grammar.text)
    }
    assert.ok(grammars > 500 && grammars < 4_500, `${grammars} grammars`)
    assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), prototype)
  })

  it('schemas at the limits of OpenAI fit', () => {
    const required = Array.from({ length: 5_000 }, (_, i) => `p${i}`)
    assert.ok(
      attempt({
        type: 'object',
        properties: names(5_000, () => ({ type: 'string' })),
        required,
        additionalProperties: false,
      }),
    )
    assert.ok(attempt({ enum: Array.from({ length: 1_000 }, (_, i) => `value number ${i * 7919}`) }))
  })

  it('many readings of one text are never needed', () => {
    const union = {
      anyOf: Array.from({ length: 60 }, (_, i) => ({
        type: 'object',
        properties: { type: { const: `t${i}` }, inner: { $ref: '#' } },
        required: ['type'],
        additionalProperties: false,
      })),
    }
    const made = attempt(union)
    assert.ok(made)
    const grammar = matcher(made.text)
    const text = '{"type":"t7","inner":'.repeat(40)
    assert.equal(grammar.matches(`${text}{"type":"t1"}${'}'.repeat(40)}`), true)
    assert.ok(grammar.readingsMost <= 200, `${grammar.readingsMost}`)
  })
})
