import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bytesOf, tinyModel } from '../../test/models/make.ts'
import { checkHeader } from './check.ts'
import { footprint, type Run } from './footprint.ts'
import { parseHeader } from './read.ts'
import { i32s, type MetadataValue, text, u32 } from './types.ts'

/** 64 wide, 4 heads of which 2 keep keys and values, 2 layers: 2 × 16 numbers for each of them, 4 bytes for key and value. */
const tokenBytes = 2 * 2 * 16 * 4
const run: Run = { context: 1024, sequences: 4, batch: 512 }

function of(more: Record<string, MetadataValue | undefined> = {}, asked = run, blocks = 2) {
  const source = tinyModel({ blocks })
  const metadata = Object.fromEntries(
    Object.entries({ ...source.metadata, ...more }).filter(
      (row): row is [string, MetadataValue] => row[1] !== undefined,
    ),
  )
  const bytes = bytesOf({ ...source, metadata })
  const header = parseHeader(bytes, bytes.length)
  assert.ok(header !== 'more')
  return { found: footprint(checkHeader(header), asked), header }
}

/** As another architecture: its keys stand under its name. */
function as(architecture: string, more: Record<string, MetadataValue>, blocks: number) {
  const named = Object.entries(tinyModel({ blocks }).metadata).flatMap(([key, value]) =>
    key.startsWith('llama.')
      ? [[key, undefined] as const, [key.replace('llama.', `${architecture}.`), value] as const]
      : [],
  )
  return of({ ...Object.fromEntries(named), 'general.architecture': text(architecture), ...more }, run, blocks).found
}

describe('what a model will take', () => {
  test('its weights are the file without its header', () => {
    const { found, header } = of()
    const tensors = header.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    assert.ok(found !== undefined)
    assert.ok(found.weightsBytes >= tensors && found.weightsBytes < tensors + 4096, `${found.weightsBytes} ${tensors}`)
  })

  for (const [name, asked, tokens] of [
    ['every sequence has its own context', run, 4 * 1024],
    ['contexts are kept in blocks of 256', { ...run, context: 1025, sequences: 1 }, 1280],
    ['a small context is one block', { ...run, context: 64, sequences: 2 }, 512],
  ] as const)
    test(name, () => assert.equal(of({}, asked).found?.cacheBytes, tokens * tokenBytes))

  for (const [name, more, bytes] of [
    ['heads of an unusual length', { 'llama.attention.key_length': u32(32) }, tokenBytes * 1.5],
    ['heads that all keep their own', { 'llama.attention.head_count_kv': undefined }, tokenBytes * 2],
    ['a layer without a cache', { 'llama.attention.head_count_kv': i32s([2, 0]) }, tokenBytes / 2],
    ['a window that its architecture does not use', { 'llama.attention.sliding_window': u32(128) }, tokenBytes],
  ] as const)
    test(`${name} count`, () => assert.equal(of(more).found?.cacheBytes, 4 * 1024 * bytes))

  for (const [name, architecture, more, full] of [
    ['every sixth layer of Gemma 3', 'gemma3', {}, 1],
    ['every second layer of gpt-oss', 'gpt-oss', {}, 3],
    ['the layers of a period', 'gemma3', { 'gemma3.attention.sliding_window_pattern': u32(3) }, 2],
    ['the layers of a list', 'other', { 'other.attention.sliding_window_pattern': i32s([1, 1, 1, 0, 0, 0]) }, 3],
  ] as const)
    test(`${name} alone keep all tokens where others have a window`, () => {
      const found = as(architecture, { [`${architecture}.attention.sliding_window`]: u32(100), ...more }, 6)
      const layer = (tokens: number) => tokens * 4 * (tokenBytes / 2)
      assert.equal(found?.cacheBytes, full * layer(1024) + (6 - full) * layer(768)) // 100 + 512 in blocks
    })

  test('a model that reads in both directions keeps nothing', () => {
    assert.equal(of({ 'llama.attention.causal': { type: 'bool', value: false } }).found?.cacheBytes, 0)
  })

  test('a larger step takes more', () => {
    const bytes = (batch: number) => of({}, { ...run, batch }).found?.computeBytes ?? 0
    assert.equal(bytes(1024) - bytes(512), 512 * (64 + 192) * 16)
  })

  for (const [name, more] of [
    ['four thousand million layers', { 'llama.block_count': u32(4_000_000_000) }],
    ['a width that is a text', { 'llama.embedding_length': text('wide') }],
    ['heads without end', { 'llama.attention.head_count_kv': { type: 'f32', value: Number.POSITIVE_INFINITY } }],
  ] as const)
    test(`${name} cannot hold up whoever asks`, () => {
      const { found } = of(more)
      assert.ok(found === undefined || found.cacheBytes < 2 ** 40)
    })
})
