import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type, { type TSchema } from 'typebox'
import { UpstreamSettings } from '../../engines/upstream/settings.ts'
import { Fault } from '../../lib/faults.ts'
import { RoutedModel } from '../routes/settings.ts'
import { checkSettings } from './checks.ts'
import { joined, parted, without } from './fields.ts'

const long = 'sk-0123456789abcdefghijklmnop'

const cases: readonly (readonly [name: string, schema: TSchema, value: object, shown: object, secrets: number])[] = [
  [
    'a key',
    UpstreamSettings,
    { base_url: 'http://127.0.0.1/v1', api_key: long },
    { base_url: 'http://127.0.0.1/v1', api_key: 'sk-…mnop' },
    1,
  ],
  ['a short key', UpstreamSettings, { api_key: 'hunter2' }, { api_key: '…' }, 1],
  ['a key with other characters', UpstreamSettings, { api_key: `${long}ü` }, { api_key: '…' }, 1],
  ['none', UpstreamSettings, { kind: 'openai', expose: ['a'] }, { kind: 'openai', expose: ['a'] }, 0],
  [
    'headers of targets',
    RoutedModel,
    {
      targets: [
        { upstream: 'east', headers: { 'x-key': long, 'x-other': 'b' } },
        { upstream: 'west', headers: { 'x-key': 'c' } },
      ],
    },
    {
      targets: [
        { upstream: 'east', headers: { 'x-key': '…', 'x-other': '…' } },
        { upstream: 'west', headers: { 'x-key': '…' } },
      ],
    },
    2,
  ],
  [
    'the secret in one branch of a union',
    Type.Object({
      proof: Type.Union([
        Type.Object({ key: Type.String({ writeOnly: true }) }, { additionalProperties: false }),
        Type.Object({ file: Type.String() }, { additionalProperties: false }),
      ]),
    }),
    { proof: { key: long } },
    { proof: { key: 'sk-…mnop' } },
    1,
  ],
]

for (const [name, schema, value, shown, secrets] of cases)
  test(`${name}: what is shown holds no secret, and both parts make the whole again`, () => {
    const parts = parted(schema, value)
    assert.deepEqual(parts.shown, shown)
    assert.equal(parts.secrets.length, secrets)
    assert.deepEqual(joined(parts.shown, JSON.parse(JSON.stringify(parts.secrets))), value)
    for (const hidden of [long, '…']) assert.ok(!JSON.stringify(without(parts.shown, parts.secrets)).includes(hidden))
  })

test('what fits no branch of a union is a secret, as nobody knows what it is', () => {
  const schema = Type.Object({ proof: Type.Union([Type.Object({ file: Type.String() }), Type.Number()]) })
  const { shown, secrets } = parted(schema, { proof: { key: long } })
  assert.ok(!JSON.stringify(shown).includes(long))
  assert.deepEqual(secrets, [[['proof'], { key: long }]])
})

test('null, which takes a secret away, is none', () => {
  assert.deepEqual(parted(UpstreamSettings, { api_key: null }), { shown: { api_key: null }, secrets: [] })
})

for (const [name, value, param] of [
  ['the shortened form of a secret', { api_key: 'sk-…mnop' }, 'api_key'],
  ['a variable of the environment', { api_key: '${' + 'OPENAI_KEY}' }, null],
  ['a field that is not known', { api_keys: 'a' }, 'api_keys'],
  ['a value of another type', { expose: 1 }, 'expose'],
  ['more than is kept', { expose: Array.from({ length: 300 }, () => 'x'.repeat(256)) }, null],
] as const)
  test(`${name} is refused, and no secret is in the words`, () => {
    assert.throws(
      () => checkSettings(UpstreamSettings, value),
      (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.deepEqual([error.status, error.param], [400, param], error.message)
        assert.ok(!error.message.includes('mnop'))
        return true
      },
    )
  })
