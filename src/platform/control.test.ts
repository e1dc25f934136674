import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { makeIds } from '../lib/ids.ts'
import { seededRandom } from '../lib/random.ts'
import { announced, makeControl } from './control.ts'

const parent = await mkdtemp(join(tmpdir(), 'parlance-control-'))
after(() => rm(parent, { recursive: true }))
let dataDir = ''
beforeEach(async () => {
  dataDir = await mkdtemp(join(parent, 'data-'))
})
const ids = makeIds(seededRandom(1))
const url = 'http://127.0.0.1:8787'

test('a command finds the server, whose secret it accepts, until it withdraws', async () => {
  const control = makeControl({ dataDir, ids })
  assert.equal(announced(dataDir), undefined)
  control.announce(url)
  const found = announced(dataDir)
  assert.equal(found?.url, url)
  assert.match(found?.secret ?? '', /^op-[0-9A-Za-z]{48}$/)
  assert.ok(control.accepts(found?.secret ?? ''))
  control.withdraw()
  control.withdraw()
  assert.equal(announced(dataDir), undefined)
  assert.deepEqual(await readdir(dataDir), [])
})

test('nobody but its user can read the file, whatever was there before', {
  skip: process.platform === 'win32',
}, async () => {
  const file = join(dataDir, 'control.json')
  await writeFile(file, '{}')
  await chmod(file, 0o666)
  makeControl({ dataDir, ids }).announce(url)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
})

test('each start has a secret of its own, and no other is accepted', async () => {
  const [one, other] = [makeControl({ dataDir, ids }), makeControl({ dataDir, ids })]
  one.announce(url)
  const { secret = '' } = announced(dataDir) ?? {}
  assert.ok(one.accepts(secret))
  for (const wrong of ['', 'op-', secret.slice(0, -1), `${secret} `, secret.toLowerCase()])
    assert.ok(!one.accepts(wrong))
  assert.ok(!other.accepts(secret))
})

for (const [name, text] of [
  ['no JSON', '{'],
  ['something else', '{"url": 1}'],
] as const)
  test(`a file that holds ${name} is an error`, async () => {
    await writeFile(join(dataDir, 'control.json'), text)
    assert.throws(() => announced(dataDir), /does not hold what a server writes into it/)
    assert.equal(await readFile(join(dataDir, 'control.json'), 'utf8'), text)
  })
