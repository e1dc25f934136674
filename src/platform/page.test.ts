import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { pageOf } from './page.ts'

const letters = ['a', 'b', 'c', 'd', 'e']
const same = (letter: string) => letter

for (const [name, asked, rows, hasMore] of [
  ['as many as usual', {}, 'abcde', false],
  ['the first ones', { limit: 2 }, 'ab', true],
  ['those after one of them', { limit: 2, after: 'b' }, 'cd', true],
  ['the last ones', { limit: 3, after: 'b' }, 'cde', false],
  ['none after the last', { after: 'e' }, '', false],
] as const)
  test(`a page of a list in memory: ${name}`, () => {
    assert.deepEqual(pageOf(letters, same, asked), { rows: [...rows], hasMore })
  })

test('a cursor that is not in the list is refused, also in an empty one', () => {
  for (const items of [letters, []])
    assert.throws(
      () => pageOf(items, same, { after: 'z'.repeat(500) }),
      (error: unknown) => error instanceof Fault && error.status === 400 && error.message.length < 300,
    )
})

test('as many as usual are twenty, or what a list says', () => {
  const many = Array.from({ length: 50 }, (_, place) => String(place))
  assert.equal(pageOf(many, same, {}).rows.length, 20)
  assert.deepEqual(pageOf(many, same, {}, 5), { rows: ['0', '1', '2', '3', '4'], hasMore: true })
})
