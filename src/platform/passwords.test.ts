import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../lib/faults.ts'
import { seededRandom } from '../lib/random.ts'
import { checkPassword, makePasswords } from './passwords.ts'

const cheap = { ln: 4, r: 1, p: 1 }
const make = (cost = cheap, seed = 1) => makePasswords({ random: seededRandom(seed), cost })

test('a password opens what was made of it, and nothing else does', async () => {
  const passwords = make()
  const stored = await passwords.hash('correct horse battery')
  assert.match(stored, /^\$scrypt\$ln=4,r=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  assert.deepEqual(await passwords.verify('correct horse battery', stored), { matches: true, outdated: false })
  for (const wrong of ['correct horse batterz', '', 'correct horse battery ', stored])
    assert.deepEqual(await passwords.verify(wrong, stored), { matches: false, outdated: false })
})

test('the same password is never stored as the same text', async () => {
  const passwords = make()
  assert.notEqual(await passwords.hash('correct horse battery'), await passwords.hash('correct horse battery'))
})

test('letters count, not the way in which a keyboard writes them', async () => {
  const passwords = make()
  const stored = await passwords.hash('Z\u00fcrichsee 2026')
  assert.equal((await passwords.verify('Zu\u0308richsee 2026', stored)).matches, true)
})

test('nobody’s password takes the same work as somebody’s, and never opens', async () => {
  const passwords = make()
  const stored = await passwords.hash('correct horse battery')
  for (const other of [
    null,
    '',
    'plain text',
    '$scrypt$ln=4,r=1,p=1$$',
    `$scrypt$ln=30,r=8,p=1$c2FsdA$${'A'.repeat(43)}`,
    stored,
  ]) {
    const before = passwords.runs
    assert.equal((await passwords.verify('a wrong password', other)).matches, false)
    assert.equal(passwords.runs, before + 1, String(other))
  }
})

test('a password of older parameters opens and says that it is outdated', async () => {
  const stored = await make({ ln: 3, r: 1, p: 1 }).hash('correct horse battery')
  assert.deepEqual(await make().verify('correct horse battery', stored), { matches: true, outdated: true })
  assert.deepEqual(await make().verify('another password', stored), { matches: false, outdated: false })
})

test('of many at once two run, 32 wait, and the rest is told to come again', async () => {
  const passwords = make({ ln: 10, r: 8, p: 1 })
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => passwords.hash('correct horse battery')))
  const refused = outcomes.filter(outcome => outcome.status === 'rejected')
  assert.equal(outcomes.length - refused.length, 34)
  for (const { reason } of refused) {
    assert.ok(reason instanceof Fault)
    assert.deepEqual([reason.status, reason.code, reason.headers['retry-after']], [429, 'sign_in_busy', '2'])
  }
  assert.equal(passwords.runs, 34)
  assert.match(await passwords.hash('and afterwards there is room'), /^\$scrypt/)
})

test('the rules for a new password say what is wrong', () => {
  const check = (password: string) => checkPassword('password', password, 'ann@a.example')
  for (const [password, says] of [
    ['short', /at least 10 characters/],
    ['🔑🔑🔑🔑🔑🔑🔑🔑🔑', /at least 10 characters/],
    ['x'.repeat(257), /at most 256 bytes/],
    ['é'.repeat(129), /at most 256 bytes/],
    ['Ann@A.example', /not the e-mail address/],
  ] as const)
    assert.throws(
      () => check(password),
      (error: unknown) =>
        error instanceof Fault &&
        error.code === 'weak_password' &&
        error.param === 'password' &&
        says.test(error.message),
      password,
    )
  for (const password of ['x'.repeat(10), 'x'.repeat(256), '🔑'.repeat(10), 'correct horse battery']) check(password)
})
