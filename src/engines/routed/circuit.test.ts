import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  admitsFromMs,
  type Circuit,
  type CircuitEvent,
  closed,
  inARowMax,
  next,
  openMs,
  trialMs,
  window,
} from './circuit.ts'

const asked: CircuitEvent = { kind: 'asked' }
const answered: CircuitEvent = { kind: 'answered', trial: false }
const failed: CircuitEvent = { kind: 'failed', trial: false }
const trialOf = (event: CircuitEvent): CircuitEvent => ({ ...event, trial: true }) as CircuitEvent
const limitedUntil = (untilMs: number): CircuitEvent => ({ kind: 'limited', trial: false, untilMs })

/** Events one after another, 1 ms apart. */
const after = (events: readonly CircuitEvent[], from: Circuit = closed, atMs = 0): Circuit =>
  events.reduce((circuit, event, place) => next(circuit, event, atMs + place), from)
const times = (count: number, event: CircuitEvent) => Array.from({ length: count }, () => event)

const open: Circuit = { state: 'open', untilMs: 5000, openings: 1 }
const half: Circuit = { state: 'half-open', sinceMs: 5000, openings: 1 }

test('a closed circuit opens with the last of so many failures in a row, and an answer begins the row anew', () => {
  assert.equal(after(times(inARowMax - 1, failed)).state, 'closed')
  assert.deepEqual(after(times(inARowMax, failed)), {
    state: 'open',
    untilMs: inARowMax - 1 + openMs.first,
    openings: 1,
  })
  assert.equal(after([...times(inARowMax - 1, failed), answered, ...times(inARowMax - 1, failed)]).state, 'closed')
})

test('a closed circuit opens when half of enough requests within a window fail, never for fewer', () => {
  const half = Array.from({ length: window.askedMin }, (_, place) => (place % 2 === 0 ? answered : failed))
  assert.equal(after(half.slice(0, -1)).state, 'closed')
  assert.equal(after(half).state, 'open')
  const third = Array.from({ length: 300 }, (_, place) => (place % 3 === 0 ? failed : answered))
  assert.equal(after(third).state, 'closed')
})

test('what happened in an earlier window does not count', () => {
  const most = after(Array.from({ length: window.askedMin - 1 }, (_, place) => (place % 2 === 0 ? answered : failed)))
  assert.equal(next(most, failed, window.lengthMs - 1).state, 'open')
  assert.equal(next(most, failed, window.lengthMs + 1).state, 'closed')
})

const moves: [name: string, from: Circuit, event: CircuitEvent, atMs: number, to: Circuit][] = [
  ['an open one lets one request try it', open, asked, 5000, half],
  ['an open one hears nothing of requests that began before', open, answered, 100, open],
  ['… neither of their failures', open, failed, 100, open],
  ['a trial that is answered closes it', half, trialOf(answered), 5100, closed],
  [
    'a trial that fails opens it for twice as long',
    half,
    trialOf(failed),
    5100,
    { state: 'open', untilMs: 5100 + 2 * openMs.first, openings: 2 },
  ],
  [
    'it is never open for longer than the longest',
    { ...half, openings: 40 },
    trialOf(failed),
    5100,
    { state: 'open', untilMs: 5100 + openMs.longest, openings: 41 },
  ],
  [
    'a trial whose caller leaves lets the next request try',
    half,
    { kind: 'left', trial: true },
    5100,
    { state: 'open', untilMs: 5100, openings: 1 },
  ],
  [
    'a trial that is told to wait is no failure',
    half,
    { kind: 'limited', trial: true, untilMs: 9000 },
    5100,
    { state: 'limited', untilMs: 9000 },
  ],
  ['what others meet says nothing while one tries', half, failed, 5100, half],
  ['… neither does their success', half, answered, 5100, half],
  ['a trial that hangs is followed by another', half, asked, 40_000, { ...half, sinceMs: 40_000 }],
  ['a 429 with a time leaves it alone for that time', closed, limitedUntil(700), 0, { state: 'limited', untilMs: 700 }],
  ['and then it is as if nothing had been', { state: 'limited', untilMs: 700 }, asked, 700, closed],
  [
    'the longest of several times counts',
    { state: 'limited', untilMs: 700 },
    limitedUntil(900),
    5,
    { state: 'limited', untilMs: 900 },
  ],
  [
    'a shorter one does not',
    { state: 'limited', untilMs: 700 },
    limitedUntil(600),
    5,
    { state: 'limited', untilMs: 700 },
  ],
  [
    'failures of others do not open what is limited',
    { state: 'limited', untilMs: 700 },
    failed,
    5,
    { state: 'limited', untilMs: 700 },
  ],
]
for (const [name, from, event, atMs, to] of moves)
  test(`circuit: ${name}`, () => assert.deepEqual(next(from, event, atMs), to))

test('it says from when on it admits', () => {
  assert.equal(admitsFromMs(closed), Number.NEGATIVE_INFINITY)
  assert.equal(admitsFromMs(open), 5000)
  assert.equal(admitsFromMs({ state: 'limited', untilMs: 7 }), 7)
  assert.equal(admitsFromMs(half), 5000 + trialMs)
})
