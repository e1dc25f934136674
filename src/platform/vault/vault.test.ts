import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Log, silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { newKey } from '../upstreams/upstreams.fixture.ts'
import { makeVault, SecretUnreadable, secretKeys, type Vault } from './index.ts'
import type { SecretKeysOptions } from './keys.ts'

const place = 'upstream/east'
const secret = 'sk-very-secret-0123456789'

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'parlance-vault-'))
  t.after(() => rm(made, { recursive: true }))
  return made
}

const keysIn = (dataDir: string, more: Partial<SecretKeysOptions> = {}) =>
  secretKeys({ dataDir, random: systemRandom, log: silentLog, ...more })

const vaultIn = (dataDir: string, more: Partial<SecretKeysOptions> = {}): Vault =>
  makeVault({ keys: keysIn(dataDir, more), random: systemRandom })

const unreadable = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SecretUnreadable, String(error))
  assert.match(error.message, words)
  assert.ok(!error.message.includes(secret))
  return true
}

test('what was sealed is read again, by another vault with the same key, and looks different each time', async t => {
  const key = newKey()
  const dataDir = await folder(t)
  for (const text of ['', secret, '“ü🙂”', 'x'.repeat(70_000)]) {
    const sealed = [vaultIn(dataDir, { key }).seal(place, text), vaultIn(dataDir, { key }).seal(place, text)] as const
    assert.notEqual(sealed[0], sealed[1])
    for (const one of sealed) {
      assert.equal(vaultIn(dataDir, { key }).open(place, one), text)
      assert.ok(text === '' || !one.includes(text))
    }
  }
  assert.deepEqual(readdirSync(dataDir), [], 'a key of the settings makes no file')
})

test('a text that was changed at any place is not read', async t => {
  const vault = vaultIn(await folder(t))
  const sealed = vault.seal(place, secret)
  const parts = sealed.split('.')
  for (const [part, text] of parts.entries())
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A'
      const changed = parts.with(part, text.slice(0, at) + other + text.slice(at + 1)).join('.')
      // The last character of base64 holds bits that mean nothing.
      const means = (one: string) =>
        one.split('.').map((piece, place) => (place < 2 ? piece : Buffer.from(piece, 'base64url').toString('hex')))
      if (means(changed).join() === means(sealed).join()) continue
      assert.throws(() => vault.open(place, changed), SecretUnreadable, changed)
    }
})

test('a text that was cut, lengthened or is none is not read', async t => {
  const vault = vaultIn(await folder(t))
  const sealed = vault.seal(place, secret)
  for (const other of [
    '',
    'v1',
    'v1...',
    sealed.slice(0, -8),
    `${sealed}AAAA`,
    `${sealed}.AA`,
    sealed.replace('v1', 'v2'),
    '…',
  ])
    assert.throws(() => vault.open(place, other), SecretUnreadable, other)
})

test('a secret that was moved to another row is not read there', async t => {
  const vault = vaultIn(await folder(t))
  const sealed = vault.seal(place, secret)
  for (const other of ['upstream/west', 'route/east', 'upstream/east2', ''])
    assert.throws(() => vault.open(other, sealed), unreadable(/changed in the database, or moved/))
})

test('another key does not read it, and says which one would', async t => {
  const dataDir = await folder(t)
  const sealed = vaultIn(dataDir, { key: newKey() }).seal(place, secret)
  const [, id = ''] = sealed.split('.')
  for (const more of [{}, { key: newKey() }, { old: [newKey()] }])
    assert.throws(() => vaultIn(dataDir, more).open(place, sealed), unreadable(new RegExp(`${id}.*SECRET_KEYS_OLD`)))
  assert.ok(!existsSync(join(dataDir, 'secret.key')), 'reading makes no key')
})

test('a key of before reads what it has encrypted, which is not current any more', async t => {
  const [before, now] = [newKey(), newKey()]
  const dataDir = await folder(t)
  const sealed = vaultIn(dataDir, { key: before }).seal(place, secret)
  const vault = vaultIn(dataDir, { key: now, old: [before] })
  assert.equal(vault.open(place, sealed), secret)
  assert.deepEqual([vault.isCurrent(sealed), vault.isCurrent(vault.seal(place, secret))], [false, true])
})

test('the file of before still reads once the settings name a key', async t => {
  const dataDir = await folder(t)
  const sealed = vaultIn(dataDir).seal(place, secret)
  const vault = vaultIn(dataDir, { key: newKey() })
  assert.equal(vault.open(place, sealed), secret)
  assert.equal(vault.isCurrent(sealed), false)
})

test('the key is made at the first secret, once, for its owner alone', async t => {
  const dataDir = await folder(t)
  const file = join(dataDir, 'secret.key')
  const vault = vaultIn(dataDir)
  assert.equal(vault.isCurrent('v1.x.y.z'), false)
  assert.deepEqual(readdirSync(dataDir), [])
  const sealed = vault.seal(place, secret)
  assert.deepEqual(readdirSync(dataDir), ['secret.key'], 'nothing is left beside it')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.match(readFileSync(file, 'utf8'), /^[\w+/]{43}=\n$/)
  // Another process that found none at its start uses the one that there is by now.
  assert.equal(vaultIn(dataDir).open(place, sealed), secret)
})

test('two that make the key at once use that of the first', async t => {
  const dataDir = await folder(t)
  const [one, two] = [keysIn(dataDir), keysIn(dataDir)]
  assert.deepEqual([one.known(), two.known()], [undefined, undefined])
  assert.equal(one.current().id, two.current().id)
})

test('a key file that others can read is told of, with what mends it', async t => {
  const dataDir = await folder(t)
  keysIn(dataDir).current()
  const file = join(dataDir, 'secret.key')
  chmodSync(file, 0o644)
  const told: unknown[] = []
  const log: Log = { ...silentLog, warn: (...line) => told.push(line) }
  keysIn(dataDir, { log }).current()
  assert.deepEqual(told, [['secrets.key_open', { file, mode: '644', mend: `chmod 600 ${file}` }]])
})

test('keys are read in base64, in base64 without its end, and in hex', async t => {
  const dataDir = await folder(t)
  const key = newKey()
  const ids = [key, key.replace('=', ''), Buffer.from(key, 'base64').toString('hex'), `  ${key}\n`].map(
    text => keysIn(dataDir, { key: text }).current().id,
  )
  assert.equal(new Set(ids).size, 1)
  const file = join(dataDir, 'mine')
  writeFileSync(file, `${key}\n`)
  assert.equal(keysIn(dataDir, { file }).current().id, ids[0])
})

for (const [name, text] of [
  ['too short', 'c2hvcnQ='],
  ['of words', 'correct horse battery staple correct horse ba'],
  ['too long', Buffer.alloc(33).toString('base64')],
  ['empty', ''],
] as const)
  test(`a key that is ${name} stops the start, without a word of it`, async t => {
    const dataDir = await folder(t)
    const file = join(dataDir, 'secret.key')
    writeFileSync(file, text)
    for (const fails of [
      () => keysIn(dataDir, { key: text }),
      () => keysIn(dataDir, { old: [text] }),
      () => keysIn(dataDir, { file }),
    ])
      assert.throws(fails, (error: unknown) => error instanceof Error && (text === '' || !error.message.includes(text)))
    assert.throws(() => vaultIn(dataDir).seal(place, secret), /holds no key/)
    assert.equal(readFileSync(file, 'utf8'), text, 'and it is not written over')
  })

test('a file that the settings name and nobody can read stops the start', async t => {
  const dataDir = await folder(t)
  assert.throws(() => keysIn(dataDir, { file: join(dataDir, 'none') }), /secret_key_file/)
})

test('without a folder to write to there is no key, and nothing is encrypted', () => {
  assert.throws(() => vaultIn('/nowhere/at/all').seal(place, secret), /cannot be written/)
})
