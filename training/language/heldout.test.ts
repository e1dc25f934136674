import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fixture } from './fixture.ts'
import { HELD } from './held-asks.ts'
import { ENGLISH_ONLY, heldCases, SKILL_NAMES } from './heldout.ts'
import { makeMixture, STAGES } from './mixture.ts'
import { isHeld, makeNames } from './names.ts'
import { Chance } from './random.ts'
import { BARE, EXACT, GREET } from './skills/copying.ts'
import { ASKS, openQuestions } from './skills/fallback.ts'
import { drawSequence, isHeldPair, TEMPLATES_CONTINUE, TEMPLATES_COUNT } from './skills/numbers.ts'
import { QUESTIONS, REVIEWS } from './skills/sentiment.ts'
import { TALK } from './skills/talk.ts'
import { FAMILIES } from './skills/tools.ts'

/** All strings of a table, without case and without marks at the end. */
function flat(value: unknown): string[] {
  if (typeof value === 'string') return [value.toLowerCase().replace(/[\s.?!。？！]+$/u, '')]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(flat) : []
}

test('no held-out way of asking is a way of asking of the training', () => {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [HELD.sequence, TEMPLATES_CONTINUE],
    [HELD.count, TEMPLATES_COUNT],
    [HELD.exact, EXACT],
    [HELD.bare, BARE],
    [HELD.greet, GREET],
    [HELD.talk, Object.values(TALK).map(({ asks }) => asks)],
    [HELD.reviews, REVIEWS],
    [HELD.sentiment, QUESTIONS],
    [HELD.tools, FAMILIES],
    [HELD.open, ASKS],
  ]
  for (const [held, trained] of pairs) {
    const known = new Set(flat(trained))
    assert.deepEqual(
      flat(held).filter(text => known.has(text)),
      [],
    )
  }
})

test('names of the two sides have nothing in common', () => {
  for (const side of ['train', 'held'] as const) {
    const names = makeNames(fixture, side)
    const chance = new Chance(5)
    for (let i = 0; i < 300; i++) {
      for (const language of ['en', 'zh'] as const) {
        assert.equal(isHeld(names.pseudo(chance, language)), side === 'held')
        const city = names.city(chance, language)
        // "New" and the like before a made-up name do not change its side.
        if (!city.includes(' ')) assert.equal(isHeld(city), side === 'held')
      }
    }
  }
})

test('sequences of the two sides have nothing in common', () => {
  for (const side of ['train', 'held'] as const) {
    const chance = new Chance(6)
    for (let i = 0; i < 500; i++) {
      const { start, step } = drawSequence(chance, side, 20)
      if (start !== 1 || step !== 1) assert.equal(isHeldPair(start, step), side === 'held')
    }
  }
})

test('open questions of the two sides have nothing in common', () => {
  const train = openQuestions(fixture, 'train')
  const held = openQuestions(fixture, 'held')
  for (const language of ['en', 'zh'] as const) {
    assert.ok(held[language].length > 0)
    assert.deepEqual(
      held[language].filter(text => train[language].includes(text)),
      [],
    )
  }
})

test('every skill makes cases whose expected answer counts as right', () => {
  for (const skill of SKILL_NAMES) {
    for (const language of ['en', 'zh'] as const) {
      if (language === 'zh' && ENGLISH_ONLY.has(skill)) continue
      for (const one of heldCases(fixture, skill, language, 20)) {
        assert.ok(one.right(one.expected, true), `${skill} ${language}: ${one.expected}`)
        assert.ok(!one.right('something else', true))
      }
    }
  }
})

test('the same seed gives the same documents', () => {
  const stage = STAGES[1]
  assert.ok(stage)
  const [one, two] = [makeMixture(fixture, 9, 'train', []), makeMixture(fixture, 9, 'train', [])]
  for (let i = 0; i < 200; i++) assert.deepEqual(one.document(stage), two.document(stage))
})
