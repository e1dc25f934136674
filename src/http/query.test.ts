import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { Fault } from '../lib/faults.ts'
import { readQuery } from './query.ts'

const schema = Type.Object({
  limit: Type.Optional(Type.Integer()),
  share: Type.Optional(Type.Number()),
  batch: Type.Optional(Type.Boolean()),
  after: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  models: Type.Optional(Type.Array(Type.String())),
  years: Type.Optional(Type.Union([Type.Array(Type.Integer()), Type.Null()])),
  metadata: Type.Optional(Type.Unsafe<Record<string, string>>({ type: 'object' })),
  time: Type.Optional(Type.Object({ gte: Type.Optional(Type.Integer()), zone: Type.Optional(Type.String()) })),
})

const rows: [what: string, url: string | undefined, query: object][] = [
  ['nothing', '/v1/files', {}],
  ['no URL', undefined, {}],
  ['an empty question', '/v1/files?', {}],
  ['numbers and truths', '/?limit=5&share=0.25&batch=true', { limit: 5, share: 0.25, batch: true }],
  [
    'texts where numbers belong stay texts',
    '/?limit=five&share=1e9&batch=1',
    { limit: 'five', share: '1e9', batch: '1' },
  ],
  ['a number where a text belongs', '/?after=12', { after: '12' }],
  [
    'lists with brackets and by repetition',
    '/?models[]=a&models%5B%5D=b&years=1&years=2',
    { models: ['a', 'b'], years: [1, 2] },
  ],
  ['an object', '/?metadata[a]=1&metadata[b%20c]=x+y', { metadata: { a: '1', 'b c': 'x y' } }],
  [
    'an object with typed fields',
    '/?time[gte]=5&time[zone]=5&time[toString]=5',
    { time: { gte: 5, zone: '5', toString: '5' } },
  ],
  ['of two the last', '/?limit=1&limit=2', { limit: 2 }],
  ['what the schema does not know', '/?models[x]=1&wild[]=2&plain', { 'wild[]': '2', plain: '', models: '1' }],
]

for (const [what, url, query] of rows)
  test(`a query is read by the schema: ${what}`, () => assert.deepEqual(readQuery(url, schema), query))

test('a hostile name becomes no prototype', () => {
  const query = readQuery('/?metadata[__proto__]=1&__proto__=2', schema)
  assert.equal(Object.getPrototypeOf(query), Object.prototype)
  assert.deepEqual(Object.keys(query), ['metadata', '__proto__'])
  assert.deepEqual(Object.keys(query.metadata as object), ['__proto__'])
})

test('bytes that are no text, and floods of parameters, are refused', () => {
  const refused = (error: unknown) => error instanceof Fault && error.status === 400
  assert.throws(() => readQuery('/?after=%ff', schema), refused)
  assert.throws(() => readQuery(`/?${'a=1&'.repeat(201)}`, schema), refused)
})
