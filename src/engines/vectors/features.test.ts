import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash, pieceHashes, stem } from './features.ts'

test('inflections of a word share a stem', () => {
  for (const family of [
    ['city', 'cities', "city's"],
    ['run', 'runs', 'running'],
    ['make', 'makes', 'making'],
    ['dance', 'dances', 'danced', 'dancing'],
    ['password', 'passwords'],
    ['stop', 'stops', 'stopped', 'stopping'],
    ['box', 'boxes'],
    ['quick', 'quickly'],
    ['try', 'tries', 'tried', 'trying'],
  ]) {
    assert.deepEqual(new Set(family.map(stem)), new Set([stem(family[0] ?? '')]), family.join(' '))
  }
})

test('different words keep different stems', () => {
  const words = ['car', 'card', 'care', 'this', 'his', 'bus', 'sing', 'thing', 'red', 'bed', 'boss', 'fly', 'on', 'one']
  assert.equal(new Set(words.map(stem)).size, words.length)
})

test('words that are not plain Latin keep their form', () => {
  for (const word of ['привет', '東京', 'ありがとう', 'ß', '']) assert.equal(stem(word), word)
})

test('a mistyped word keeps most of its pieces', () => {
  const right = new Set(pieceHashes('password'))
  const kept = pieceHashes('passwrod').filter(piece => right.has(piece)).length
  assert.ok(kept >= 6, `${kept} pieces kept`)
  assert.equal(pieceHashes('elephant').filter(piece => right.has(piece)).length, 0)
})

test('the pieces of a word are bounded, however long it is', () => {
  assert.ok(pieceHashes('x'.repeat(1_000_000)).length <= 128)
  assert.ok(pieceHashes('').length === 0)
  assert.equal(pieceHashes('é').length, 1)
})

test('hashes are the same for ever: files depend on them', () => {
  assert.equal(hash('parlance'), GOLDEN.plain)
  assert.equal(hash('parlance', 2), GOLDEN.seeded)
  assert.deepEqual(pieceHashes('ab'), GOLDEN.pieces)
})

const GOLDEN = { plain: 2_344_619_100, seeded: 2_815_463_430, pieces: [576_355_586, 2_968_152_823, 648_927_216] }
