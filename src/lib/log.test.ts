import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from './clock.ts'
import { describe, jsonLog } from './log.ts'

const logInto = (lines: string[]) => {
  const clock = manualClock(1_700_000_000_000)
  return { clock, log: jsonLog(line => lines.push(line), clock.now) }
}

test('a line is one JSON object with time, level and event', () => {
  const lines: string[] = []
  logInto(lines).log.info('model.loaded', { model: 'a\nb', millis: 5 })
  assert.deepEqual(lines, [
    '{"time":"2023-11-14T22:13:20.000Z","level":"info","event":"model.loaded","model":"a\\nb","millis":5}\n',
  ])
})

test('a warning that repeats is twenty lines a second, and the next one says how many were left out', () => {
  const lines: string[] = []
  const { clock, log } = logInto(lines)
  for (let count = 0; count < 1000; count++) log.warn('upstream.gone')
  assert.equal(lines.length, 20)
  log.error('something.else')
  assert.equal(lines.length, 21, 'another event has its own count')
  clock.advance(1000)
  log.warn('upstream.gone')
  assert.equal(JSON.parse(lines.at(-1)!).suppressed, 980)
})

test('an error is described with its causes, and what is no error only by its type', () => {
  assert.equal(describe(new Error('outer', { cause: new TypeError('inner') })), 'Error: outer <- TypeError: inner')
  assert.equal(describe('a text that may hold anything'), 'string')
})
