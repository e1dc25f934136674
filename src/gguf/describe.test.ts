import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, tinyModel } from '../../test/models/make.ts'
import { checkHeader } from './check.ts'
import { describeModel } from './describe.ts'
import { parseHeader } from './read.ts'
import { type MetadataValue, text, u32 } from './types.ts'

function described(more: Record<string, MetadataValue> = {}) {
  const source = tinyModel({ storage: 'Q8_0' })
  const bytes = bytesOf({ ...source, metadata: { ...source.metadata, ...more } })
  const header = parseHeader(bytes, bytes.length)
  assert.ok(header !== 'more')
  return describeModel(checkHeader(header))
}

test('a file is described by what it says', () => {
  const { architecture, contextLength, layers, embeddingLength, hasChatTemplate, license } = described({
    'general.license': text('mit'),
  })
  assert.deepEqual(
    [architecture, contextLength, layers, embeddingLength, hasChatTemplate, license],
    ['llama', 4096, 2, 64, true, 'mit'],
  )
})

test('the quantisation comes from the file, or from what most of its bytes are', () => {
  assert.equal(described({ 'general.file_type': u32(15) }).quantization, 'Q4_K_M')
  assert.equal(described().quantization, 'Q8_0')
  assert.equal(described({ 'general.file_type': u32(999) }).quantization, 'Q8_0')
})

test('parameters are counted over all tensors', () => {
  const tensors = tinyModel().tensors.map(({ shape }) => shape.reduce((product, size) => product * size, 1))
  assert.equal(
    described().parameters,
    tensors.reduce((sum, size) => sum + size, 0),
  )
})
