import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeterministic, keyOf } from './key.ts'

const messages = [{ role: 'user', content: 'Hello' }]
const usual = {
  operation: 'chat.completions.create',
  organizationId: 'org-1',
  projectId: 'proj_1',
  model: 'words',
  revision: 1,
  body: { model: 'words', messages },
}
const bodyKey = (more: object) => keyOf({ ...usual, body: { model: 'words', messages, ...more } })

test('requests that differ in nothing that shapes the reply have one key', () => {
  const schema = { type: 'object', properties: { b: {}, a: {} } }
  const equals: [string, object, object][] = [
    ['the order of fields', { temperature: 0, seed: 1 }, { seed: 1, temperature: 0 }],
    [
      'the order of fields in messages',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }] },
      { messages: [{ content: [{ text: 'a', type: 'text' }], role: 'user' }] },
    ],
    ['who asks', {}, { user: 'u', safety_identifier: 's', metadata: { a: 'b' } }],
    ['what is done with the reply', {}, { store: false, prompt_cache_key: 'k', prompt_cache_retention: '24h' }],
    ['how the model is called', { model: 'alias' }, { model: 'words' }],
    ['no stream', {}, { stream: false }],
    ['no stream either', { stream: null }, { stream: false }],
    ['a number however it is written', { temperature: 1.0 }, JSON.parse('{"temperature":1e0}') as object],
    ['equal schemas', { response_format: schema }, { response_format: structuredClone(schema) }],
  ]
  for (const [name, one, other] of equals) assert.equal(bodyKey(one), bodyKey(other), name)
})

test('whatever may shape a reply is part of the key', () => {
  const keys = [
    keyOf(usual),
    keyOf({ ...usual, operation: 'completions.create' }),
    keyOf({ ...usual, organizationId: 'org-2' }),
    keyOf({ ...usual, projectId: 'proj_2' }),
    keyOf({ ...usual, model: 'other' }),
    keyOf({ ...usual, revision: 2 }),
    bodyKey({ messages: [...messages, ...messages] }),
    bodyKey({ messages: [{ role: 'user', content: 'Hello', name: 'x' }] }),
    bodyKey({ messages: [{ role: 'user', content: null }] }),
    bodyKey({ stream: true }),
    bodyKey({ stream: true, stream_options: { include_usage: true } }),
    bodyKey({ stream_options: { include_usage: true } }),
    bodyKey({ temperature: 0 }),
    bodyKey({ temperature: '0' }),
    bodyKey({ seed: 1 }),
    bodyKey({ service_tier: 'flex' }),
    bodyKey({ nobody_knows: 1 }),
    bodyKey({ nobody_knows: '1' }),
    bodyKey({ nobody: '_knows:1' }),
    bodyKey({ response_format: { properties: { a: {}, b: {} } } }),
    bodyKey({ response_format: { properties: { b: {}, a: {} } } }), // models write fields in this order
    bodyKey({ tools: [{ a: 1 }] }),
    bodyKey({ stop: ['a', 'b'] }),
    bodyKey({ stop: ['b', 'a'] }),
    bodyKey(JSON.parse('{"__proto__":1}') as object),
  ]
  assert.equal(new Set(keys).size, keys.length)
})

test('no field can be written so that it looks like another one', () => {
  const joined = JSON.parse('{"a":"1\\n\\"b\\":2"}') as object
  assert.notEqual(bodyKey(joined), bodyKey({ a: '1', b: 2 }))
  assert.notEqual(
    keyOf({ ...usual, organizationId: 'a","b', projectId: 'c' }),
    keyOf({ ...usual, organizationId: 'a', projectId: 'b","c' }),
  )
})

test('only requests without chance can share a run', () => {
  const rows: [object, boolean][] = [
    [{ messages }, false],
    [{ messages, temperature: 0 }, true],
    [{ messages, temperature: 0.1 }, false],
    [{ messages, temperature: null }, false],
    [{ messages, seed: 0 }, true],
    [{ messages, seed: null }, false],
    [{ messages, temperature: 1, seed: 7 }, true],
    [{ prompt: 'a' }, false],
    [{ prompt: 'a', seed: 3 }, true],
    [{ input: 'a' }, true],
    [{ input: 'a', messages }, false],
  ]
  for (const [body, expected] of rows) assert.equal(isDeterministic(body), expected, JSON.stringify(body))
})
