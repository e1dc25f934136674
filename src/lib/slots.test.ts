import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slots } from './slots.ts'

test('what has entered is there until it leaves, and its place is taken again', () => {
  const slots = new Slots<{ name: string }>()
  const a = { name: 'a' }
  const b = { name: 'b' }
  const first = slots.enter(a)
  const second = slots.enter(b)
  assert.notEqual(first, second)
  assert.deepEqual(slots.all(), [a, b])
  slots.leave(first)
  assert.deepEqual(slots.all(), [b])
  assert.equal(slots.enter(a), first)
  assert.deepEqual(new Set(slots.all()), new Set([a, b]))
})

test('leaving twice is a mistake that shows', () => {
  const slots = new Slots<object>()
  const place = slots.enter({})
  slots.leave(place)
  assert.throws(() => slots.leave(place), RangeError)
  assert.deepEqual(slots.all(), [])
})

test('all may leave while they are gone through', () => {
  const slots = new Slots<{ place: number }>()
  for (let i = 0; i < 5; i++) {
    const item = { place: -1 }
    item.place = slots.enter(item)
  }
  for (const { place } of slots.all()) slots.leave(place)
  assert.deepEqual(slots.all(), [])
})

test('nobody is there before the first has entered and after the last has left', () => {
  const slots = new Slots<object>()
  assert.ok(slots.isEmpty)
  const [first, second] = [slots.enter({}), slots.enter({})]
  slots.leave(first)
  assert.ok(!slots.isEmpty)
  slots.leave(second)
  assert.ok(slots.isEmpty)
})
