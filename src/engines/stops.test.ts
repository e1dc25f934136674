import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../lib/random.ts'
import { Stops } from './stops.ts'

describe('stop sequences', () => {
  it('hold back the beginning of a sequence and release it when it goes on otherwise', () => {
    const stops = new Stops(['END'])
    assert.deepEqual(stops.push('the E'), { text: 'the ', stopped: false })
    assert.deepEqual(stops.push('N'), { text: '', stopped: false })
    assert.deepEqual(stops.push('d'), { text: 'ENd', stopped: false })
    assert.deepEqual(stops.push('EN'), { text: '', stopped: false })
    assert.equal(stops.held(), 'EN')
  })

  it('cut the text before the sequence that is complete first', () => {
    assert.deepEqual(new Stops(['cde', 'bc']).push('abcdef'), { text: 'a', stopped: true })
    assert.deepEqual(new Stops(['c', 'bcd']).push('abcdef'), { text: 'ab', stopped: true })
  })

  it('cut before the longer one of two that end together', () => {
    assert.deepEqual(new Stops(['c', 'abc']).push('xabc'), { text: 'x', stopped: true })
  })

  it('find overlapping beginnings', () => {
    const stops = new Stops(['aab'])
    assert.equal(stops.push('aaa').text, 'a')
    assert.deepEqual(stops.push('b'), { text: '', stopped: true })
  })

  it('never send a part of a sequence, however the text is cut', () => {
    const random = seededRandom(3)
    const letters = () => 'ab '[random.uint32() % 3] ?? ''
    const word = (length: number) => Array.from({ length }, letters).join('')
    for (let round = 0; round < 2000; round++) {
      const sequences = [word(1 + (random.uint32() % 4)), word(1 + (random.uint32() % 5))]
      const text = word(random.uint32() % 30)
      const stops = new Stops(sequences)
      let sent = ''
      let stopped = false
      for (let at = 0; at < text.length && !stopped; ) {
        const length = 1 + (random.uint32() % 4)
        const piece = stops.push(text.slice(at, at + length))
        sent += piece.text
        stopped = piece.stopped
        at += length
      }
      if (!stopped) sent += stops.held()
      const ends = sequences
        .map(sequence => text.indexOf(sequence) + sequence.length)
        .filter((_, i) => text.includes(sequences[i] ?? ''))
      assert.equal(stopped, ends.length > 0)
      if (stopped) assert.ok(sequences.every(sequence => !sent.includes(sequence)) && text.startsWith(sent))
      else assert.equal(sent, text)
    }
  })

  it('take a hostile sequence in linear time', () => {
    const stops = new Stops(Array.from({ length: 4 }, (_, i) => `${'a'.repeat(4095)}${i}`))
    const before = performance.now()
    for (let i = 0; i < 100_000; i++) stops.push('a')
    assert.ok(performance.now() - before < 2000)
  })
})
