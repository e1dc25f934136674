import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cut } from './cut.ts'
import { normalise, references } from './normalise.ts'

test('leftovers of OpenAPI 3.0 become JSON Schema, and prose goes', () => {
  assert.deepEqual(normalise({ type: 'string', nullable: true, default: null, description: 'x', 'x-y': 1 }), {
    anyOf: [{ type: 'string' }, { type: 'null' }],
  })
  assert.deepEqual(normalise({ $ref: '#/components/schemas/A', nullable: true }), {
    anyOf: [{ $ref: '#/components/schemas/A' }, { type: 'null' }],
  })
  assert.deepEqual(normalise({ type: 'integer', nullable: false, minimum: 0, exclusiveMinimum: true }), {
    type: 'integer',
    exclusiveMinimum: 0,
  })
  assert.deepEqual(normalise({ type: 'integer', maximum: 9, exclusiveMaximum: false }), { type: 'integer', maximum: 9 })
  assert.deepEqual(normalise({ type: 'number', exclusiveMinimum: 2 }), { type: 'number', exclusiveMinimum: 2 })
  assert.deepEqual(normalise({ oneOf: [{ type: 'null' }, { allOf: [{ type: 'string', title: 'x' }] }] }), {
    anyOf: [{ type: 'null' }, { allOf: [{ type: 'string' }] }],
  })
})

test('a property may have the name of a keyword', () => {
  const schema = { type: 'object', properties: { nullable: { type: 'boolean' }, description: { type: 'string' } } }
  assert.deepEqual(normalise(schema), schema)
})

test('a keyword without a rule is refused', () => {
  assert.throws(() => normalise({ type: 'object', patternProperties: {} }), /patternProperties/)
  assert.throws(() => normalise(undefined), TypeError)
})

test('references are followed, and those to elsewhere refused', () => {
  assert.deepEqual(
    references({ items: { $ref: '#/components/schemas/A' }, anyOf: [{ $ref: '#/components/schemas/B' }] }),
    ['A', 'B'],
  )
  assert.throws(() => references({ $ref: 'other.yaml#/A' }), /somewhere else/)
})

test('a cut holds what the replies reach and nothing else', () => {
  const reply = (name: string) => ({
    responses: { '200': { content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } } },
  })
  const spec = {
    paths: {
      '/chat/completions': { post: reply('Chat') },
      '/completions': { post: reply('CreateCompletionResponse') },
      '/embeddings': { post: reply('Chat') },
      '/models': { get: reply('Chat') },
      '/models/{model}': { get: reply('Chat') },
    },
    components: {
      schemas: {
        Chat: {
          type: 'object',
          properties: { next: { $ref: '#/components/schemas/Chat' }, part: { $ref: '#/components/schemas/Part' } },
        },
        Part: { type: 'string' },
        CreateCompletionResponse: { type: 'object' },
        CreateChatCompletionStreamResponse: { type: 'object' },
        ErrorResponse: { type: 'object' },
        Unrelated: { type: 'object' },
      },
    },
  }
  const made = cut(spec, 'here')
  assert.deepEqual(Object.keys(made.schemas).sort(), [
    'Chat',
    'CompletionEvent',
    'CreateChatCompletionStreamResponse',
    'CreateCompletionResponse',
    'ErrorResponse',
    'Part',
  ])
  assert.deepEqual(made.schemas.CompletionEvent, { type: 'object' })
  assert.throws(() => cut({ ...spec, paths: {} }, 'here'), /has no reply/)
})
