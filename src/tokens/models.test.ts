import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { baseModel, encodingNameForModel, findEncodingName } from './models.ts'

test('every model of tiktoken has the encoding it has there', () => {
  const table: Record<string, string> = createRequire(import.meta.url)('tiktoken/model_to_encoding.json')
  assert.ok(Object.keys(table).length > 80)
  for (const [model, encoding] of Object.entries(table)) assert.equal(encodingNameForModel(model), encoding, model)
})

const others: readonly (readonly [model: string, encoding: string])[] = [
  ['gpt-35-turbo', 'cl100k_base'],
  ['gpt-35-turbo-16k-0613', 'cl100k_base'],
  ['gpt-35-turbo-instruct', 'cl100k_base'],
  ['gpt-4-32k', 'cl100k_base'],
  ['ft:gpt-3.5-turbo-0613:acme::8abc', 'cl100k_base'],
  ['ft:gpt-4-0613:acme', 'cl100k_base'],
  ['ft:gpt-4o-mini-2024-07-18:acme:bot:9xyz', 'o200k_base'],
  ['ft:davinci-002:acme::1', 'cl100k_base'],
  ['ft:babbage-002', 'cl100k_base'],
  ['davinci:ft-acme-2022-12-01-00-00-00', 'r50k_base'],
  ['curie:ft-acme', 'r50k_base'],
  ['text-search-ada-query-001', 'r50k_base'],
  ['gpt-oss-120b', 'o200k_harmony'],
  ['gpt-5.2-chat-latest', 'o200k_base'],
  ['gpt-4.1-nano', 'o200k_base'],
  ['o3-deep-research', 'o200k_base'],
  ['omni-moderation-latest', 'o200k_base'],
]

for (const [model, encoding] of others) {
  test(`${model} is in ${encoding}`, () => assert.equal(encodingNameForModel(model), encoding))
}

test('an unknown model has no encoding', () => {
  for (const model of ['llama-3', '', 'ft:', 'gpt', 'gpt-40', 'davincix', '__proto__', 'constructor']) {
    assert.equal(findEncodingName(model), undefined, model)
    assert.throws(() => encodingNameForModel(model), { status: 404, code: 'model_not_found' })
  }
  assert.equal(baseModel('ft:gpt-35-turbo:x'), 'gpt-3.5-turbo')
})
