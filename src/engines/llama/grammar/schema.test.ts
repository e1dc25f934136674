import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Fault } from '../../../lib/faults.ts'
import { seededRandom } from '../../../lib/random.ts'
import { Chance, matcher } from './harness.ts'
import { jsonGrammar, schemaToGrammar } from './schema.ts'

const place = { param: 'response_format.json_schema.schema', subject: "response_format 'answer'" }
const grammarOf = (schema: unknown) => matcher(schemaToGrammar(schema, place).text)

interface Row {
  name: string
  schema: unknown
  yes: readonly string[]
  no: readonly string[]
}

const self = { $ref: '#' }
const rows: readonly Row[] = [
  {
    name: 'strings',
    schema: { type: 'string' },
    yes: ['""', '"a b"', '"\\n\\u00e9\\ud83d\\ude00"', '"漢🙂"'],
    no: ['"', '"\n"', '"\\ud83d"', '"\\x"', 'a', ' ""'],
  },
  {
    name: 'lengths count characters, however they are written',
    schema: { type: 'string', minLength: 2, maxLength: 3 },
    yes: ['"ab"', '"🙂🙂🙂"', '"\\u0041\\ud83d\\ude00"'],
    no: ['"a"', '"abcd"'],
  },
  {
    name: 'long lengths',
    schema: { type: 'string', minLength: 30, maxLength: 45 },
    yes: [`"${'x'.repeat(30)}"`, `"${'x'.repeat(45)}"`],
    no: [`"${'x'.repeat(29)}"`, `"${'x'.repeat(46)}"`],
  },
  {
    name: 'anchored patterns',
    schema: { type: 'string', pattern: '^[A-Z]{2}-\\d{3,}$' },
    yes: ['"AB-123"', '"AB-12345"'],
    no: ['"AB-12"', '"xAB-123"', '"AB-123x"'],
  },
  {
    name: 'patterns without anchors match anywhere',
    schema: { type: 'string', pattern: 'b+' },
    yes: ['"b"', '"abc"'],
    no: ['""', '"ac"'],
  },
  {
    name: 'patterns over characters that JSON escapes',
    schema: { type: 'string', pattern: '^["\\\\\\n\\x01]+$' },
    yes: ['"\\"\\\\\\n\\u0001"'],
    no: ['"n"', '"""'],
  },
  {
    name: 'a pattern and lengths',
    schema: { type: 'string', pattern: '^(ab)*$', minLength: 3, maxLength: 6 },
    yes: ['"abab"', '"ababab"'],
    no: ['"ab"', '"abababab"'],
  },
  {
    name: 'dates',
    schema: { type: 'string', format: 'date' },
    yes: ['"2024-02-29"', '"1999-12-31"'],
    no: ['"2023-02-29"', '"2024-13-01"', '"2024-04-31"'],
  },
  {
    name: 'dates with times',
    schema: { type: 'string', format: 'date-time' },
    yes: ['"2024-02-29T23:59:59Z"', '"2024-01-01T00:00:00.5+02:00"'],
    no: ['"2024-02-29"', '"2024-01-01T24:00:00Z"'],
  },
  { name: 'times', schema: { type: 'string', format: 'time' }, yes: ['"10:00:00Z"'], no: ['"10:00"'] },
  {
    name: 'durations',
    schema: { type: 'string', format: 'duration' },
    yes: ['"P1Y2M3DT4H5M6S"', '"PT1M"', '"P2W"'],
    no: ['"P"', '"PT"', '"1Y"'],
  },
  {
    name: 'e-mail addresses',
    schema: { type: 'string', format: 'email' },
    yes: ['"a.b@c.de"'],
    no: ['"a@b"', '"@c.de"'],
  },
  {
    name: 'host names',
    schema: { type: 'string', format: 'hostname' },
    yes: ['"a-b.example.com"'],
    no: ['"-a"', '"a..b"'],
  },
  { name: 'IPv4', schema: { type: 'string', format: 'ipv4' }, yes: ['"255.0.10.1"'], no: ['"256.0.0.1"', '"1.2.3"'] },
  {
    name: 'IPv6',
    schema: { type: 'string', format: 'ipv6' },
    yes: ['"::"', '"2001:db8::1"', '"::ffff:1.2.3.4"', '"1:2:3:4:5:6:7:8"'],
    no: ['"1::2::3"', '"12345::"', '"1:2:3"'],
  },
  {
    name: 'UUIDs',
    schema: { type: 'string', format: 'uuid' },
    yes: ['"123e4567-e89b-12d3-a456-426614174000"'],
    no: ['"123e4567"'],
  },
  {
    name: 'integers',
    schema: { type: 'integer' },
    yes: ['0', '-12', '999999999999999'],
    no: ['01', '1.0', '-0', '+1', '1e3', ''],
  },
  { name: 'numbers', schema: { type: 'number' }, yes: ['0', '-0.5', '1e-7', '3.14'], no: ['.5', '1.', 'NaN', '1e999'] },
  {
    name: 'ranges of integers',
    schema: { type: 'integer', minimum: -5, exclusiveMaximum: 120 },
    yes: ['-5', '0', '119'],
    no: ['-6', '120', '1.5'],
  },
  {
    name: 'ranges of numbers',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 1.5 },
    yes: ['0.001', '1.5', '1'],
    no: ['0', '0.0', '1.51', '-1'],
  },
  {
    name: 'multiples',
    schema: { type: 'number', multipleOf: 0.25 },
    yes: ['0.25', '-3', '1.50'],
    no: ['0.3', '0.125'],
  },
  {
    name: 'bounds in the form of draft 4',
    schema: { type: 'integer', minimum: 1, exclusiveMinimum: true, maximum: 3 },
    yes: ['2', '3'],
    no: ['1', '4'],
  },
  {
    name: 'int32',
    schema: { type: 'integer', format: 'int32' },
    yes: ['2147483647', '-2147483648'],
    no: ['2147483648'],
  },
  {
    name: 'booleans and null',
    schema: { type: ['boolean', 'null'] },
    yes: ['true', 'false', 'null'],
    no: ['0', '"null"'],
  },
  {
    name: 'nullable',
    schema: { type: 'integer', minimum: 3, maximum: 4, nullable: true },
    yes: ['null', '3'],
    no: ['5'],
  },
  {
    name: 'enumerations of any value',
    schema: { enum: ['a', 'ab', 1, null, { k: ['"'] }] },
    yes: ['"a"', '"ab"', '1', 'null', '{"k":["\\""]}'],
    no: ['"b"', '2', '{}'],
  },
  {
    name: 'enumerations beside other keywords',
    schema: { type: 'string', enum: ['a', 1, 'abc'], maxLength: 2 },
    yes: ['"a"'],
    no: ['1', '"abc"'],
  },
  { name: 'constants', schema: { const: 'x"' }, yes: ['"x\\""'], no: ['"x"'] },
  {
    name: 'properties in their order, required or not',
    schema: {
      type: 'object',
      properties: { a: { type: 'null' }, b: { type: 'null' }, c: { type: 'null' } },
      required: ['b'],
    },
    yes: ['{"b":null}', '{"a":null,"b":null}', '{"a": null, "b": null, "c": null}', '{"b":null,"c":null}'],
    no: [
      '{}',
      '{"a":null}',
      '{"b":null,"a":null}',
      '{"b":null,}',
      '{ "b":null}',
      '{"b":null,"d":null}',
      '{"b":  null}',
    ],
  },
  {
    name: 'only optional properties',
    schema: { type: 'object', properties: { a: { type: 'null' }, b: { type: 'null' } } },
    yes: ['{}', '{"a":null}', '{"b":null}', '{"a":null,"b":null}'],
    no: ['{,"b":null}', '{"b":null,"a":null}'],
  },
  {
    name: 'further properties',
    schema: { type: 'object', properties: { ab: { type: 'null' } }, additionalProperties: { type: 'integer' } },
    yes: ['{}', '{"ab":null}', '{"a":1}', '{"ab":null,"abc":1,"":2}', '{"\\"":1}'],
    no: ['{"ab":1}', '{"a":1,"ab":null}', '{"a":null}', '{"\\u0061b":1}'],
  },
  {
    name: 'maps',
    schema: { type: 'object', additionalProperties: { type: 'null' }, maxProperties: 2 },
    yes: ['{}', '{"x":null,"y":null}'],
    no: ['{"x":null,"y":null,"z":null}', '{"x":1}'],
  },
  {
    name: 'objects that may not be empty',
    schema: {
      type: 'object',
      properties: { a: { type: 'null' }, b: { type: 'null' } },
      minProperties: 1,
      additionalProperties: false,
    },
    yes: ['{"a":null}', '{"b":null}'],
    no: ['{}'],
  },
  {
    name: 'required properties that are not listed',
    schema: { type: 'object', required: ['z'] },
    yes: ['{"z":1}', '{"z":[],"a":1}'],
    no: ['{}'],
  },
  {
    name: 'lists',
    schema: { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 3 },
    yes: ['[null]', '[null, null,null]'],
    no: ['[]', '[null,null,null,null]', '[null,]'],
  },
  { name: 'empty lists', schema: { type: 'array', maxItems: 0 }, yes: ['[]'], no: ['[1]'] },
  {
    name: 'long lists',
    schema: { type: 'array', items: { const: 1 }, minItems: 20, maxItems: 70 },
    yes: [`[${Array(20).fill(1)}]`, `[${Array(70).fill(1)}]`],
    no: [`[${Array(19).fill(1)}]`, `[${Array(71).fill(1)}]`],
  },
  {
    name: 'tuples',
    schema: { type: 'array', prefixItems: [{ const: 1 }, { const: 2 }], items: false, minItems: 1 },
    yes: ['[1]', '[1,2]'],
    no: ['[]', '[2]', '[1,2,3]'],
  },
  {
    name: 'tuples with a rest',
    schema: { type: 'array', items: [{ const: 1 }], additionalItems: { const: 2 } },
    yes: ['[]', '[1]', '[1,2,2]'],
    no: ['[2]', '[1,1]'],
  },
  {
    name: 'anyOf',
    schema: {
      anyOf: [
        { type: 'string', maxLength: 1 },
        { type: 'integer', maximum: 1, minimum: 0 },
      ],
    },
    yes: ['"a"', '1'],
    no: ['"ab"', '2'],
  },
  {
    name: 'anyOf beside other keywords',
    schema: {
      type: 'object',
      properties: { t: { type: 'string' } },
      required: ['t'],
      anyOf: [{ properties: { t: { const: 'a' } } }, { properties: { t: { const: 'b' } } }],
    },
    yes: ['{"t":"a"}', '{"t":"b"}'],
    no: ['{"t":"c"}'],
  },
  {
    name: 'allOf',
    schema: {
      allOf: [
        { properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { a: { minimum: 5, maximum: 9 }, b: { type: 'null' } } },
      ],
      type: 'object',
    },
    yes: ['{"a":5}', '{"a":9,"b":null}'],
    no: ['{"a":4}', '{"b":null}'],
  },
  {
    name: 'references with siblings',
    schema: { $defs: { n: { type: 'integer', minimum: 0 } }, $ref: '#/$defs/n', maximum: 3 },
    yes: ['0', '3'],
    no: ['4', '-1'],
  },
  {
    name: 'escaped references',
    schema: { definitions: { 'a/b c': { const: 1 } }, $ref: '#/definitions/a~1b%20c' },
    yes: ['1'],
    no: ['2'],
  },
  {
    name: 'recursion',
    schema: {
      type: 'object',
      properties: { name: { type: 'string' }, children: { type: 'array', items: self } },
      required: ['name', 'children'],
      additionalProperties: false,
    },
    yes: ['{"name":"a","children":[{"name":"b","children":[]}]}'],
    no: ['{"name":"a"}', '{"name":"a","children":[{}]}'],
  },
  {
    name: 'linked lists',
    schema: {
      type: 'object',
      properties: { next: { anyOf: [self, { type: 'null' }] } },
      required: ['next'],
      additionalProperties: false,
    },
    yes: ['{"next":null}', '{"next":{"next":null}}'],
    no: ['{}'],
  },
  {
    name: 'optional properties without a possible value',
    schema: { type: 'object', properties: { a: false, b: { type: 'null' } } },
    yes: ['{}', '{"b":null}'],
    no: ['{"a":null}'],
  },
  {
    name: 'any value',
    schema: {},
    yes: ['{"a":[1,{"b":null}],"c":"d"}', '[]', '-1.5e3', 'true'],
    no: ['', '{"a"}', '[1,]', 'True', '{a:1}'],
  },
  { name: 'true', schema: true, yes: ['1'], no: ['x'] },
  {
    name: 'annotations',
    schema: { type: 'null', title: 't', description: 'd', default: 1, examples: [], $comment: '', 'x-order': 1 },
    yes: ['null'],
    no: ['1'],
  },
]

describe('schemaToGrammar: what is accepted', () => {
  for (const { name, schema, yes, no } of rows)
    it(name, () => {
      const grammar = grammarOf(schema)
      for (const text of yes) assert.equal(grammar.matches(text), true, `refused ${text}`)
      for (const text of no) assert.equal(grammar.matches(text), false, `accepted ${text}`)
    })

  it('jsonGrammar takes objects of any content and nothing else', () => {
    const grammar = matcher(jsonGrammar.text)
    assert.equal(grammar.matches('{"a": [1, {"b": null}], "c": "\\n"}'), true)
    for (const text of ['[]', '1', '{', '{} ', '{"a":1', '{\n}']) assert.equal(grammar.matches(text), false, text)
  })

  it('never lets white space go on', () => {
    const grammar = matcher(jsonGrammar.text)
    for (const text of ['{"a":  ', '{  ', ' ', '{"a": 1,  ', '{"a": 1 ', '\n', '{"a":\n'])
      assert.equal(grammar.begins(text), false, text)
  })
})

const refusals: readonly { name: string; schema: unknown; param: string; message: RegExp }[] = [
  {
    name: 'lookaround',
    schema: { properties: { a: { pattern: '(?=a)' } } },
    param: '.properties.a.pattern',
    message: /In context=\('properties', 'a', 'pattern'\), the pattern "\(\?=a\)" has lookaround/,
  },
  { name: 'back references', schema: { pattern: '(a)\\1' }, param: '.pattern', message: /back references/ },
  { name: 'word boundaries', schema: { pattern: '\\ba' }, param: '.pattern', message: /word boundaries/ },
  { name: 'Unicode properties', schema: { pattern: '\\p{L}' }, param: '.pattern', message: /Unicode properties/ },
  { name: 'broken patterns', schema: { pattern: '(a' }, param: '.pattern', message: /a group without its end/ },
  {
    name: 'unknown formats',
    schema: { items: { format: 'uri' } },
    param: '.items.format',
    message: /the format "uri" is not supported\. Supported: date/,
  },
  {
    name: 'unknown keywords',
    schema: { propertees: {} },
    param: '.propertees',
    message: /'propertees' is not supported/,
  },
  { name: 'not', schema: { not: {} }, param: '.not', message: /'not' is not supported/ },
  { name: 'if', schema: { if: {} }, param: '.if', message: /'if' is not supported/ },
  {
    name: 'patternProperties',
    schema: { patternProperties: {} },
    param: '.patternProperties',
    message: /not supported/,
  },
  {
    name: 'uniqueItems',
    schema: { type: 'array', uniqueItems: true },
    param: '.uniqueItems',
    message: /not supported/,
  },
  { name: 'unknown types', schema: { type: 'float' }, param: '.type', message: /"float" is not a type/ },
  { name: 'types that are objects', schema: { type: {} }, param: '.type', message: /a list is needed/ },
  { name: 'schemas that are none', schema: { items: 3 }, param: '.items', message: /3 is not a schema/ },
  {
    name: 'remote references',
    schema: { $ref: 'https://example.com/a' },
    param: '.$ref',
    message: /only references inside the schema/,
  },
  { name: 'lost references', schema: { $ref: '#/$defs/a' }, param: '.$ref', message: /leads nowhere/ },
  { name: 'references to the prototype', schema: { $ref: '#/constructor' }, param: '.$ref', message: /leads nowhere/ },
  { name: 'circles', schema: { $ref: '#' }, param: '', message: /refers to itself/ },
  {
    name: 'circles through anyOf',
    schema: { anyOf: [self, { type: 'null' }] },
    param: '',
    message: /refers to itself/,
  },
  {
    name: 'contradictions',
    schema: { allOf: [{ type: 'string' }, { type: 'null' }] },
    param: '',
    message: /no value can satisfy/,
  },
  {
    name: 'endless values',
    schema: { type: 'object', properties: { a: self }, required: ['a'] },
    param: '',
    message: /no value can satisfy/,
  },
  {
    name: 'empty ranges',
    schema: { type: 'integer', minimum: 0.1, maximum: 0.9 },
    param: '',
    message: /no value can satisfy/,
  },
  {
    name: 'counts of optional properties',
    schema: { type: 'object', properties: { a: {}, b: {}, c: {} }, minProperties: 2 },
    param: '',
    message: /'minProperties' of 2 is not supported/,
  },
  { name: 'negative lengths', schema: { minLength: -1 }, param: '.minLength', message: /a whole number of 0 or more/ },
  {
    name: 'patterns that need too many states',
    schema: { pattern: '.*a.{14}' },
    param: '.pattern',
    message: /too complex|too many/,
  },
  {
    name: 'patterns that repeat repetitions',
    schema: { pattern: '((a{1,50}){1,50}){1,50}' },
    param: '.pattern',
    message: /too many repetitions/,
  },
  {
    name: 'readings that multiply',
    schema: {
      $defs: {
        n: {
          anyOf: [
            { properties: { a: { $ref: '#/$defs/n' }, b: {} }, required: ['a', 'b'] },
            { properties: { a: { $ref: '#/$defs/n' }, c: {} }, required: ['a', 'c'] },
          ],
          type: 'object',
        },
      },
      $ref: '#/$defs/n',
    },
    param: '',
    message: /begin alike|no value/,
  },
  {
    name: 'nesting',
    schema: JSON.parse(`${'{"items":'.repeat(5000)}{}${'}'.repeat(5000)}`),
    param: '',
    message: /nested at most/,
  },
  { name: 'what is not JSON', schema: { const: Number.NaN }, param: '', message: /not JSON/ },
]

describe('schemaToGrammar: what is refused', () => {
  for (const { name, schema, param, message } of refusals)
    it(name, () => {
      assert.throws(
        () => schemaToGrammar(schema, place),
        (error: unknown) => {
          assert.ok(error instanceof Fault, String(error))
          assert.deepEqual([error.status, error.code, error.param], [400, 'invalid_json_schema', place.param + param])
          assert.match(error.message, /^Invalid schema for response_format 'answer': In context=\(/)
          assert.match(error.message, message)
          return true
        },
      )
    })
})

describe('schemaToGrammar against a validator', () => {
  it('accepts valid values, writes only valid values, and accepts no invalid one', () => {
    const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9, validateSchema: false })
    let [written, refused] = [0, 0]
    for (let seed = 0; seed < 250; seed++) {
      const chance = new Chance(seededRandom(seed))
      const { schema, value } = chance.schema(3)
      const valid = ajv.compile(schema)
      const grammar = grammarOf(schema)
      assert.equal(grammar.matches(JSON.stringify(value)), true, `${seed}: refused ${JSON.stringify(value)}`)
      for (let i = 0; i < 4; i++) {
        const text = grammar.sample(chance.below, 400)
        if (text === undefined) continue
        written++
        assert.equal(valid(JSON.parse(text)), true, `${seed}: wrote ${text}`)
      }
      for (let i = 0; i < 8; i++) {
        const changed = chance.changed(value)
        if (valid(changed)) continue
        refused++
        assert.equal(grammar.matches(JSON.stringify(changed)), false, `${seed}: accepted ${JSON.stringify(changed)}`)
      }
    }
    assert.ok(written > 500 && refused > 500, `${written} written, ${refused} refused`)
  })
})
