import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { encoderModel } from '../../test/models/encoders.ts'
import { bytesOf, stored, tinyModel } from '../../test/models/make.ts'
import { purposeOfFile, useOf } from './purpose.ts'
import { parseBeginning, parseHeader } from './read.ts'

const file = async (source: Parameters<typeof bytesOf>[0]) => stored(bytesOf(source))

test('a file says what it is for: to generate, to embed or to rerank', async () => {
  assert.equal(purposeOfFile(await file(tinyModel())), 'generate')
  assert.equal(purposeOfFile(await file(tinyModel({ pooling: 3 }))), 'embed')
  assert.equal(purposeOfFile(await file(encoderModel({ pooling: 2 }))), 'embed')
  assert.equal(purposeOfFile(await file(encoderModel())), 'embed')
  assert.equal(purposeOfFile(await file(encoderModel({ pooling: 4, looksFor: 'summer' }))), 'rerank')
  assert.equal(purposeOfFile(await file(encoderModel({ looksFor: 'summer' }))), 'rerank')
})

test('of a file that is absent or broken nothing is said', async () => {
  assert.equal(purposeOfFile('/nowhere/model.gguf'), undefined)
  assert.equal(purposeOfFile(await stored(Buffer.from('no model, but long enough for one'))), undefined)
})

test('the beginning of a header tells the keys that lie in it, as the whole header does', async () => {
  const bytes = await readFile(await file(tinyModel({ pooling: 3 })))
  const whole = parseHeader(bytes, bytes.length)
  assert.ok(whole !== 'more')
  const part = parseBeginning(bytes.subarray(0, 900), bytes.length)
  assert.ok(part.keys().length > 5 && part.keys().length < whole.keys().length)
  assert.deepEqual(part.keys(), whole.keys().slice(0, part.keys().length))
  assert.equal(part.number('llama.embedding_length'), whole.number('llama.embedding_length'))
  assert.deepEqual(useOf(part), useOf(whole))
})
