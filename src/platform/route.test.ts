import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tried } from '../engines/engine.ts'
import { attemptsIn, routeHeaders } from './route.ts'

test('a reply names the last upstream that was asked, and how many there were', () => {
  const failed: Tried = { upstream: 'east', outcome: 'upstream_failed', status: 502, ms: 3 }
  const rows: [Tried[], Record<string, string>][] = [
    [[], {}],
    [[{ upstream: 'west' }], { 'x-parlance-upstream': 'west', 'x-parlance-attempts': '1' }],
    [
      [failed, { upstream: 'west', outcome: 'ok', ms: 4 }],
      { 'x-parlance-upstream': 'west', 'x-parlance-attempts': '2' },
    ],
    [[{ upstream: 'w\r\nx: é' }], { 'x-parlance-upstream': 'w%0D%0Ax%3A%20%C3%A9', 'x-parlance-attempts': '1' }],
  ]
  for (const [tried, headers] of rows) assert.deepEqual(routeHeaders({ tried }), headers)
})

test('the log has each attempt as it was when it was written', () => {
  const running: Tried = { upstream: 'west' }
  const told = attemptsIn({ tried: [{ upstream: 'east', outcome: 'left', ms: 7 }, running] })
  running.outcome = 'ok'
  assert.deepEqual(told, [{ upstream: 'east', outcome: 'left', ms: 7 }, { upstream: 'west' }])
})
