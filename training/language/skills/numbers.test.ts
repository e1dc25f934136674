import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fixture } from '../fixture.ts'
import { makeNames } from '../names.ts'
import { Chance } from '../random.ts'
import { countTurn, rawSequence, sequenceTurn, spell, terms } from './numbers.ts'

const draw = { chance: new Chance(3), names: makeNames(fixture, 'train') }

test('a sequence goes on by its step and never below zero', () => {
  assert.deepEqual(terms({ start: 7, step: 5 }, 4), [7, 12, 17, 22])
  assert.deepEqual(terms({ start: 5, step: -2 }, 9), [5, 3, 1])
})

test('an answer goes on where the question stopped', () => {
  for (let i = 0; i < 200; i++) {
    const { user, reply } = sequenceTurn(draw, i % 2 ? 'en' : 'zh')
    const all = [...(user.match(/\d+/g) ?? []), ...(reply.match(/\d+/g) ?? [])].map(Number)
    const steps = new Set(all.slice(1).map((n, k) => n - (all[k] ?? 0)))
    assert.equal(steps.size, 1, `${user} -> ${reply}`)
  }
})

test('counting starts and stops where it was asked to', () => {
  for (let i = 0; i < 300; i++) {
    const { user, reply } = countTurn(draw, i % 2 ? 'en' : 'zh')
    const said = (reply.match(/\d+/g) ?? []).map(Number)
    const asked = (user.match(/\d+/g) ?? []).map(Number)
    const last = said.at(-1)
    if (asked.length === 2) assert.deepEqual([said[0], last], asked)
    assert.ok(said.every((n, k) => k === 0 || Math.abs(n - (said[k - 1] ?? 0)) === 1))
  }
})

test('numbers in words', () => {
  assert.deepEqual(
    [5, 21, 30].map(n => spell(n, 'en')),
    ['five', 'twenty-one', 'thirty'],
  )
  assert.deepEqual(
    [5, 10, 12, 20, 21, 99].map(n => spell(n, 'zh')),
    ['五', '十', '十二', '二十', '二十一', '九十九'],
  )
})

test('plain sequences have no end to learn', () => {
  assert.equal(rawSequence(new Chance(1)).ends, false)
})
