import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../lib/random.ts'
import { LongMerge, windowBytes } from './long-merge.ts'
import { readTable } from './ranks.ts'
import { padding } from './vocabulary.ts'

const vocabulary = readTable('cl100k_base')

function merge(
  text: string,
  widthBytes?: number,
): { tokens: number[]; windows: number; moved: number; sizeBytes: number } {
  const raw = new TextEncoder().encode(text)
  const bytes = new Uint8Array(raw.length + padding)
  bytes.set(raw)
  const work = new LongMerge(vocabulary, bytes, new DataView(bytes.buffer), 0, raw.length, widthBytes)
  // Twice the windows of a perfect run for what is done again, plus one doubling after the other.
  const windowsMax = 40 + (4 * raw.length) / (widthBytes ?? windowBytes)
  while (!work.step()) assert.ok(work.windows <= windowsMax, `${work.windows} windows for ${raw.length} bytes`)
  return {
    tokens: Array.from(work.tokens.subarray(0, work.count)),
    windows: work.windows,
    moved: work.moved,
    sizeBytes: raw.length,
  }
}

test('windows of any width give the merge of the whole, also where seams have to be moved', () => {
  const random = seededRandom(5)
  let moved = 0
  for (const alphabet of [
    'ab',
    'etaoinshrdlu',
    '的一是不了人',
    '=-*',
    ' \t',
    'abcdefghijklmnopqrstuvwxyz',
    'ーアイ',
    'аб',
    '😀👍',
    '0a ',
  ]) {
    const characters = [...alphabet]
    for (let round = 0; round < 20; round++) {
      const length = 65 + (random.uint32() % 300)
      const text = Array.from({ length }, () => characters[random.uint32() % characters.length]).join('')
      const whole = merge(text)
      for (const width of [16, 24, 40, 100]) {
        const narrow = merge(text, width)
        assert.deepEqual(narrow.tokens, whole.tokens, `${width}: ${JSON.stringify(text)}`)
        moved += narrow.moved
      }
    }
  }
  assert.ok(moved > 0, 'the test has to reach seams that move')
})

// 1 MB each: a quadratic merge would need 10^12 steps for these; here every window is a fixed number of bytes.
for (const unit of ['a', ' ', '的', '^', '0', '\n', 'ab', '😀', 'aA', '=-']) {
  test(`a megabyte of ${JSON.stringify(unit)} takes a bounded number of windows`, () => {
    const text = unit.repeat(1_000_000 / new TextEncoder().encode(unit).length)
    const { windows, tokens } = merge(text)
    assert.ok(windows <= 3, `${windows} windows were merged, the others are repeats`)
    const bytes = tokens.reduce((sum, token) => sum + vocabulary.lengthOf(token), 0)
    assert.equal(bytes, new TextEncoder().encode(text).length)
  })
}

test('half a megabyte without repeats takes no more windows than its bytes ask for', () => {
  for (const alphabet of ['ab', 'abcdefghijklmnopqrstuvwxyz', '的一是不了人我在', '^=', ' \t\u00a0']) {
    const random = seededRandom(3)
    const characters = [...alphabet]
    let text = ''
    while (text.length < 170_000) text += characters[random.uint32() % characters.length]
    const { windows, sizeBytes } = merge(text)
    assert.ok(windows <= sizeBytes / (windowBytes * 0.8) + 2, `${alphabet}: ${windows} windows for ${sizeBytes} bytes`)
  }
})
