import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { grammarCache } from './cache.ts'

describe('grammarCache', () => {
  it('makes the grammar of one schema once, and of another order of keys again', () => {
    const cache = grammarCache({ countMax: 10, charactersMax: 1_000 })
    let made = 0
    const make = () => ({ text: `root ::= "${++made}"`, steps: 1 })
    const first = cache.get({ a: 1, b: 2 }, make)
    assert.equal(cache.get({ a: 1, b: 2 }, make), first)
    assert.notEqual(cache.get({ b: 2, a: 1 }, make), first)
    assert.equal(made, 2)
  })

  it('stays within its bounds when ten times as much is put in, and keeps what is used', () => {
    const cache = grammarCache({ countMax: 20, charactersMax: 1_000 })
    const used = cache.get('used', () => ({ text: 'root', steps: 1 }))
    for (let i = 0; i < 200; i++) {
      cache.get(i, () => ({ text: 'x'.repeat(i % 150), steps: 1 }))
      assert.ok(cache.count <= 20 && cache.characters <= 1_000)
      assert.equal(
        cache.get('used', () => assert.fail('it was forgotten')),
        used,
      )
    }
  })

  it('does not keep faults, nor what is larger than the whole cache', () => {
    const cache = grammarCache({ countMax: 2, charactersMax: 10 })
    assert.throws(() => cache.get(1, () => assert.fail('no')))
    assert.equal(cache.get(1, () => ({ text: 'x'.repeat(11), steps: 1 })).steps, 1)
    assert.deepEqual([cache.count, cache.characters], [0, 0])
  })
})
