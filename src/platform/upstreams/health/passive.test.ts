import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../../lib/clock.ts'
import { fault } from '../../../lib/faults.ts'
import { knownUpstreams, upstreamOf } from '../listing/listing.fixture.ts'
import { passiveHealth } from './passive.ts'

function setting() {
  const clock = manualClock(1_700_000_000_000)
  const east = upstreamOf('east', { base_url: 'http://127.0.0.1:9/v1' })
  const upstreams = knownUpstreams([east])
  const notice = passiveHealth(upstreams, clock)
  return { clock, east, upstreams, notice, health: () => upstreams.findings('east').health }
}

test('a request that was answered makes an upstream ready, one that did not reach it makes it fail', () => {
  const { east, notice, health } = setting()
  assert.equal(health().state, 'unknown')
  notice(east, undefined)
  assert.deepEqual([health().state, health().detail], ['ready', null])
  notice(east, fault.upstreamUnreachable('m', new Error('secret of the cause')))
  assert.equal(health().state, 'failed')
  assert.match(health().detail ?? '', /`parlance upstream test east`/)
  notice(east, fault.upstreamRefusedKey('m', undefined))
  assert.match(health().detail ?? '', /upstream set east --api-key-stdin/)
  notice(east, undefined)
  assert.equal(health().state, 'ready')
})

test('what is about the request says nothing about the upstream', () => {
  const { east, notice, health } = setting()
  notice(east, undefined)
  for (const reason of [fault.upstreamError(400, { message: 'no' }), fault.overloaded('m', 1), fault.draining()])
    notice(east, reason)
  assert.equal(health().state, 'ready')
})

test('while nothing changes, little is written down', () => {
  const { east, notice, health, clock } = setting()
  notice(east, undefined)
  const first = health()
  clock.advance(500)
  notice(east, undefined)
  assert.equal(health(), first)
  clock.advance(500)
  notice(east, undefined)
  assert.equal(health().checkedAt, clock.now())
})
