import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import type { Json } from './nodes.ts'
import { checkStrict } from './strict.ts'

const place = { param: 'response_format.json_schema.schema', subject: "response_format 'answer'" }
const object = (properties: Record<string, Json>, more: Record<string, Json> = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
})
const nested = (depth: number): Json => (depth === 0 ? { type: 'string' } : object({ a: nested(depth - 1) }))
const names = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { type: 'null' }]))

const refusals: readonly [string, unknown, string, RegExp][] = [
  ['a root that is no object', { type: 'array', items: {} }, '', /type: "object"/],
  ['anyOf at the root', object({}, { anyOf: [] }), '', /'anyOf' is not permitted at the top level/],
  [
    'open objects',
    object({ a: { type: 'object', properties: {} } }),
    '.properties.a.additionalProperties',
    /In context=\('properties', 'a', 'additionalProperties'\), 'additionalProperties' is required to be supplied and to be false/,
  ],
  ['optional properties', { ...object({ a: {}, b: {} }), required: ['a'] }, '.required', /Missing 'b'/],
  ['required properties that do not exist', object({}, { required: ['x'] }), '.required', /holds "x"/],
  ['oneOf', object({ a: { oneOf: [] } }), '.properties.a.oneOf', /'oneOf' is not permitted/],
  ['lists without items', object({ a: { type: 'array' } }), '.properties.a', /array schema missing items/],
  [
    'definitions that are not strict',
    object({ a: { $ref: '#/$defs/b' } }, { $defs: { b: { type: 'object' } } }),
    '.$defs.b.additionalProperties',
    /to be false/,
  ],
  ['more than ten levels', nested(11), `${'.properties.a'.repeat(11)}`, /nested too deeply/],
  ['more than 5,000 properties', object(names(5_001)), '', /more than 5000 properties/],
  [
    'more than 1,000 enum values',
    object({ a: { enum: Array.from({ length: 1_001 }, (_, i) => i) } }),
    '.properties.a.enum',
    /at most 1000 enum values/,
  ],
  [
    'long lists of long values',
    object({ a: { enum: Array.from({ length: 251 }, (_, i) => `${i}`.padStart(60)) } }),
    '.properties.a.enum',
    /more than 250 values/,
  ],
  ['names that are too long together', object({ ['x'.repeat(120_001)]: {} }), '', /120000 characters/],
]

describe('checkStrict', () => {
  for (const [name, schema, param, message] of refusals)
    it(`refuses ${name}`, () => {
      assert.throws(
        () => checkStrict(schema, place),
        (error: unknown) => {
          assert.ok(error instanceof Fault)
          assert.deepEqual([error.code, error.param], ['invalid_json_schema', place.param + param])
          assert.match(error.message, message)
          return true
        },
      )
    })

  it('takes what OpenAI documents, up to its limits', () => {
    checkStrict(nested(10), place)
    checkStrict(object(names(5_000)), place)
    checkStrict(
      object(
        {
          a: { anyOf: [{ type: ['string', 'null'], pattern: 'a' }, { $ref: '#' }] },
          b: { type: 'array', items: { $ref: '#/$defs/c' }, minItems: 1 },
        },
        { $defs: { c: { type: 'number', multipleOf: 0.5 } } },
      ),
      place,
    )
  })
})
