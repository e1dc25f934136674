import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { makeAttempts, network } from './attempts.ts'

const make = () => {
  const clock = manualClock()
  return { clock, attempts: makeAttempts({ clock }) }
}

/** Seconds to wait; 0 when the attempt may be made, which then counts. */
function wait(attempts: ReturnType<typeof makeAttempts>, account: string, ip: string | null): number {
  try {
    attempts.begin(account, ip)
    return 0
  } catch (error) {
    assert.ok(error instanceof Fault && error.status === 429 && error.code === 'too_many_sign_ins')
    return Number(error.headers['retry-after'])
  }
}

test('five failures at one account are free, then the wait doubles, wherever they come from', () => {
  const { clock, attempts } = make()
  for (let at = 0; at < 5; at++) assert.equal(wait(attempts, 'ann', `192.0.2.${at}`), 0)
  assert.equal(wait(attempts, 'ann', '192.0.2.10'), 0)
  for (const expected of [1, 2, 4, 8, 16, 32]) {
    assert.equal(wait(attempts, 'ann', '192.0.2.11'), expected)
    clock.advance(expected * 1000 - 1)
    assert.equal(wait(attempts, 'ann', '192.0.2.12'), 1)
    clock.advance(1)
    assert.equal(wait(attempts, 'ann', '192.0.2.13'), 0)
  }
  assert.equal(wait(attempts, 'bob', '192.0.2.11'), 0, 'another account does not wait')
})

test('twenty failures from one address are free, then the wait doubles, whatever is guessed at', () => {
  const { attempts } = make()
  for (let at = 0; at <= 20; at++) assert.equal(wait(attempts, `user ${at}`, '192.0.2.1'), 0)
  assert.equal(wait(attempts, 'user 21', '192.0.2.1'), 1)
  assert.equal(wait(attempts, 'user 21', '192.0.2.2'), 0)
})

test('in a day nobody guesses more than about once a minute at one account', () => {
  const { clock, attempts } = make()
  let guesses = 0
  for (let second = 0; second < 86_400; second += 5) {
    if (wait(attempts, 'ann', `192.0.2.${second % 250}`) === 0) guesses++
    clock.advance(5000)
  }
  assert.ok(guesses > 500 && guesses < 1500, `${guesses} guesses`)
})

test('the right password forgets the failures of the account, and only its own of the address', () => {
  const { attempts } = make()
  for (let at = 0; at < 5; at++) attempts.begin('ann', '192.0.2.1')
  attempts.begin('ann', '192.0.2.1').succeeded()
  for (let at = 0; at < 6; at++) assert.equal(wait(attempts, 'ann', null), 0)
  for (let at = 0; at < 16; at++) assert.equal(wait(attempts, `user ${at}`, '192.0.2.1'), 0)
  assert.equal(wait(attempts, 'one more', '192.0.2.1'), 1)
})

test('a refused attempt does not make the wait longer', () => {
  const { clock, attempts } = make()
  for (let at = 0; at < 7; at++) wait(attempts, 'ann', null)
  for (let at = 0; at < 1000; at++) assert.equal(wait(attempts, 'ann', null), 1)
  clock.advance(1000)
  assert.equal(wait(attempts, 'ann', null), 0)
})

test('of 10,000 accounts none is forgotten, of more the quietest are', () => {
  const { attempts } = make()
  for (let at = 0; at < 7; at++) wait(attempts, 'ann', null)
  for (let at = 0; at < 9_999; at++) attempts.begin(`user ${at}`, null)
  assert.equal(wait(attempts, 'ann', null), 1)
  attempts.begin('one more', null)
  assert.equal(wait(attempts, 'ann', null), 0)
})

test('addresses of one network of IPv6 count as one', () => {
  for (const [ip, expected] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['1::2:3:4:5:6:7', '1:0:2:3'],
  ] as const)
    assert.equal(network(ip), expected)
})
