import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credit, release } from './credit.ts'

const grant = (id: string, amount_nano: number, expires_at: number | null = null, used_nano = 0, created_at = 0) => ({
  id,
  amount_nano,
  used_nano,
  created_at,
  expires_at,
})

function creditOf(...grants: ReturnType<typeof grant>[]): Credit {
  const credit = new Credit()
  credit.on = true
  credit.update(grants, 0)
  return credit
}

test('what expires first is spent first, then what is older; what never expires comes last', () => {
  const credit = creditOf(
    grant('ever', 10),
    grant('late', 10, 300),
    grant('new', 10, 200, 0, 2),
    grant('old', 10, 200, 0, 1),
  )
  assert.equal(credit.leftNano(100), 40)
  assert.deepEqual(credit.take(25, 100), [
    { id: 'old', nano: 10 },
    { id: 'new', nano: 10 },
    { id: 'late', nano: 5 },
  ])
  assert.deepEqual(credit.take(12, 100), [
    { id: 'late', nano: 5 },
    { id: 'ever', nano: 7 },
  ])
  assert.equal(credit.leftNano(100), 3)
})

test('an expired grant does not count', () => {
  const credit = creditOf(grant('a', 10, 200), grant('b', 10, 300))
  assert.equal(credit.leftNano(199), 20)
  assert.equal(credit.leftNano(200), 10)
  assert.deepEqual(credit.take(5, 200), [{ id: 'b', nano: 5 }])
  assert.equal(credit.leftNano(300), 0)
})

test('a grant that expires while a request runs still pays for it, and for nobody new', () => {
  const credit = creditOf(grant('a', 10, 200), grant('b', 10))
  const shares = credit.hold(10, 100)
  assert.equal(credit.leftNano(200), 10, 'what is held of the expired grant takes nothing from the other')
  credit.update([grant('b', 10)], 250)
  release(shares)
  assert.equal(credit.leftNano(250), 10)
  assert.deepEqual(credit.take(8, 100), [{ id: 'a', nano: 8 }])
})

test('what others hold is not taken', () => {
  const credit = creditOf(grant('a', 10, 200), grant('b', 10))
  const mine = credit.hold(6, 100)
  const theirs = credit.hold(6, 100)
  assert.equal(credit.leftNano(100), 8)
  release(mine)
  assert.deepEqual(credit.take(6, 100), [{ id: 'a', nano: 6 }])
  release(theirs)
  assert.deepEqual(credit.take(6, 100), [
    { id: 'a', nano: 4 },
    { id: 'b', nano: 2 },
  ])
  assert.equal(credit.leftNano(100), 8)
})

test('what was spent beyond all credit is written down on the last grant', () => {
  const credit = creditOf(grant('a', 10, 200), grant('b', 10))
  assert.deepEqual(credit.take(25, 100), [
    { id: 'a', nano: 10 },
    { id: 'b', nano: 15 },
  ])
  assert.equal(credit.leftNano(100), 0)
  assert.deepEqual(creditOf().take(5, 100), [], 'and nowhere without any')
})

test('a new reading of the tables knows less of what was used, and more of everything else', () => {
  const credit = creditOf(grant('a', 10), grant('b', 10))
  credit.take(4, 100)
  const shares = credit.hold(3, 100)
  credit.update([grant('a', 20, 500), grant('c', 5, null, 1)], 150)
  assert.deepEqual(credit.standing(150), { limitNano: 25, spentNano: 5, heldNano: 3 })
  release(shares)
  assert.equal(credit.leftNano(150), 20)
  assert.equal(credit.leftNano(500), 4)
})

test('a grant that was taken away serves only those that hold something of it', () => {
  const credit = creditOf(grant('a', 10))
  const shares = credit.hold(4, 100)
  credit.update([], 150)
  assert.equal(credit.leftNano(150), 0)
  release(shares)
  assert.deepEqual(credit.take(4, 100), [{ id: 'a', nano: 4 }])
  credit.update([], 160)
  assert.deepEqual(credit.standing(160), { limitNano: 0, spentNano: 0, heldNano: 0 })
})
