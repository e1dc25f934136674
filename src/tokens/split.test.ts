import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Splitter, splitCl100k, splitGpt2, splitO200k } from './split.ts'

/** Stands in for the bytes of a text and counts how often one is read. */
function counted(text: string): { bytes: Uint8Array; length: number; reads: () => number } {
  const bytes = new TextEncoder().encode(text)
  let reads = 0
  const proxy = new Proxy(bytes, {
    get(target, key) {
      reads++
      return Reflect.get(target, key, target)
    },
  })
  return { bytes: proxy, length: bytes.length, reads: () => reads }
}

function pieces(split: Splitter, text: string): string[] {
  const bytes = new TextEncoder().encode(text)
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const next = split(bytes, at, bytes.length)
    assert.ok(next > at && next <= bytes.length)
    found.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, next)))
    at = next
  }
  return found
}

test('each encoding cuts by its own pattern', () => {
  const text = "I'm  DON'T 12345 x\n\n y中ABC"
  assert.deepEqual(pieces(splitGpt2, text), ['I', "'m", ' ', ' DON', "'", 'T', ' 12345', ' x', '\n\n', ' y中ABC'])
  assert.deepEqual(pieces(splitCl100k, text), ['I', "'m", ' ', ' DON', "'T", ' ', '123', '45', ' x', '\n\n', ' y中ABC'])
  assert.deepEqual(pieces(splitO200k, text), ["I'm", ' ', " DON'T", ' ', '123', '45', ' x', '\n\n', ' y中', 'ABC'])
})

// The inputs on which a backtracking engine reads a text again and again.
const hostile: readonly (readonly [name: string, text: string])[] = [
  ['spaces', ' '.repeat(20_000)],
  ['spaces before a letter', `${' '.repeat(20_000)}a`],
  ['line feeds before spaces', `${'\n'.repeat(10_000)}${' '.repeat(10_000)}a`],
  ['spaces with a line feed now and then', `${' '.repeat(50)}\n`.repeat(400)],
  ['one letter', 'a'.repeat(20_000)],
  ['capitals', 'A'.repeat(20_000)],
  ['a cased letter before capitals', `中${'A'.repeat(20_000)}`],
  ['cased letters and capitals', '中A'.repeat(5_000)],
  ['marks', '\u0301'.repeat(10_000)],
  ['a mark before capitals, again and again', '\u0301AAAA'.repeat(3_000)],
  ['apostrophes', "'".repeat(20_000)],
  ['almost contractions', "'r".repeat(10_000)],
  ['digits', '1'.repeat(20_000)],
  ['symbols', '^'.repeat(20_000)],
  ['symbols and slashes', '^/'.repeat(10_000)],
  ['symbols and line feeds', '^\n'.repeat(10_000)],
]

for (const [name, text] of hostile) {
  test(`${name}: every byte is read a bounded number of times`, () => {
    for (const split of [splitGpt2, splitCl100k, splitO200k]) {
      const { bytes, length, reads } = counted(text)
      for (let at = 0; at < length; ) at = split(bytes, at, length)
      assert.ok(reads() <= 16 * length, `${reads()} reads of ${length} bytes`)
    }
  })
}
