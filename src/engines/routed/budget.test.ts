import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../lib/random.ts'
import { backOffMs, RetryBudget, retriesMin } from './budget.ts'

const startMs = 5_000_000
const taken = (budget: RetryBudget, nowMs: number, wanted = 1000): number => {
  let count = 0
  while (count < wanted && budget.take(nowMs)) count++
  return count
}

test('without requests there are a few retries in a minute, and no more', () => {
  const budget = new RetryBudget()
  assert.equal(taken(budget, startMs), retriesMin)
  assert.equal(taken(budget, startMs + 49_000), 0)
  assert.equal(taken(budget, startMs + 60_000), retriesMin)
})

test('a tenth of the requests of the last minute comes on top', () => {
  const budget = new RetryBudget()
  for (let request = 0; request < 500; request++) budget.request(startMs + request)
  assert.equal(taken(budget, startMs + 1000), retriesMin + 50)
  for (let request = 0; request < 100; request++) budget.request(startMs + 30_000)
  assert.equal(taken(budget, startMs + 30_000), 10)
  assert.equal(taken(budget, startMs + 200_000), retriesMin, 'after a silence nothing is left of what was asked before')
})

test('in no minute there are more retries than a tenth and the few, whatever comes when', () => {
  const random = seededRandom(3)
  const budget = new RetryBudget()
  const requests: number[] = []
  const retries: number[] = []
  for (let nowMs = startMs; nowMs < startMs + 600_000; nowMs += random.uint32() % 200) {
    requests.push(nowMs)
    budget.request(nowMs)
    if (random.uint32() % 2 === 0 && budget.take(nowMs)) retries.push(nowMs)
  }
  const within = (times: number[], untilMs: number, lengthMs: number) =>
    times.filter(atMs => atMs > untilMs - lengthMs && atMs <= untilMs).length
  for (const atMs of retries)
    assert.ok(within(retries, atMs, 50_000) <= retriesMin + 1 + within(requests, atMs, 60_000) / 10)
  assert.ok(retries.length > 0.08 * requests.length, 'what may be spent is spent')
})

test('pauses double up to a bound, and are never the same for all', () => {
  const random = seededRandom(4)
  for (const [round, wholeMs] of [250, 500, 1000, 2000, 2000].entries()) {
    const pauses = Array.from({ length: 200 }, () => backOffMs(round + 1, random))
    assert.ok(Math.min(...pauses) >= wholeMs / 2 && Math.max(...pauses) <= wholeMs, `${round}`)
    assert.ok(new Set(pauses).size > 190)
  }
})
