import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { sibling } from '../lib/modules.ts'
import { seededRandom } from '../lib/random.ts'
import { names, quiet, setting } from './store.contract.ts'
import { lockDataDir, openStore } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'parlance-crash-'))
after(() => rmSync(folder, { recursive: true }))

interface Child {
  process: ChildProcess
  lines: AsyncIterator<string>
  ended: Promise<unknown>
}

function start(script: './child.fixture' | './writing.fixture', words: string[], user?: number): Child {
  const child = spawn(process.execPath, [sibling(import.meta.url, script).pathname, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: join(folder, 'compiled') }, // halves the start of 25 processes
    ...(user !== undefined && { uid: user, gid: user }),
  })
  return {
    process: child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    ended: once(child, 'close'),
  }
}

const child = (role: string, dataDir: string, prefix = '', user?: number): Child =>
  start('./child.fixture', [role, dataDir, prefix], user)

const line = async (child: Child): Promise<string> => (await child.lines.next()).value ?? ''

async function rest(child: Child): Promise<string[]> {
  const all: string[] = []
  for (let next = await child.lines.next(); !next.done; next = await child.lines.next()) all.push(next.value)
  return all
}

/** Kills a process in the middle of its writes, after so many acknowledgements. Returns all that arrived. */
async function killWhileWriting(path: string, prefix: string, acknowledgements: number): Promise<string[]> {
  const writing = start('./writing.fixture', [path, prefix])
  const acknowledged: string[] = []
  while (acknowledged.length < acknowledgements) acknowledged.push(await line(writing))
  writing.process.kill('SIGKILL')
  acknowledged.push(...(await rest(writing)))
  await writing.ended
  return acknowledged
}

test('20 kills in the middle of writes lose nothing acknowledged and leave nothing half', async () => {
  const random = seededRandom(20)
  const series = async (name: string): Promise<void> => {
    const dataDir = join(folder, `kill-${name}`)
    await (await openStore({ ...quiet, dataDir })).close()
    const acknowledged: string[] = []
    for (let round = 0; round < 5; round++)
      acknowledged.push(
        ...(await killWhileWriting(join(dataDir, 'parlance.db'), String(round), 1 + (random.uint32() % 60))),
      )
    const store = await openStore({ ...quiet, dataDir })
    const present = new Set(await names(store))
    await store.close()
    assert.ok(acknowledged.length >= 5)
    for (const id of acknowledged) assert.ok(present.has(`${id}.a`), `${id} was acknowledged and is lost`)
    for (const half of present)
      assert.ok(present.has(half.replace(/[ab]$/, end => (end === 'a' ? 'b' : 'a'))), `${half} is alone`)
  }
  await Promise.all(['1', '2', '3', '4'].map(series))
})

test('a kill in the middle of a migration leaves the version before, with a backup', async () => {
  const dataDir = join(folder, 'migrate')
  const before = await openStore({ ...quiet, dataDir })
  await before.write(before.build.insertInto('settings').values({ name: 'kept', value: '' }))
  await before.close()

  const dying = child('dieMigrating', dataDir)
  const [code, signal] = await once(dying.process, 'close')
  assert.deepEqual([code, signal], [null, 'SIGKILL'])

  const after = await openStore({ ...quiet, dataDir })
  assert.deepEqual(await names(after), ['kept'])
  const tables = await after.read.introspection.getTables()
  assert.ok(tables.every(table => table.name !== 'half'))
  await after.close()
  assert.match(readdirSync(join(dataDir, 'backups')).join(), /^parlance-\d+-\d{8}T\d{9}Z\.db$/)
})

test('the lock of a killed server is free at once, and that of a living one names it', async () => {
  const dataDir = join(folder, 'lock')
  const server = child('lock', dataDir)
  assert.equal(await line(server), 'locked')
  assert.throws(
    () => lockDataDir(dataDir, quiet.clock),
    new RegExp(`Another Parlance server \\(process ${server.process.pid}, since 2.*data folder ${dataDir}`),
  )
  const beside = await openStore({ ...quiet, dataDir })
  await beside.write(setting(beside, 'a')) // a program that only writes needs no lock
  await beside.close()
  server.process.kill('SIGKILL')
  await server.ended
  const lock = lockDataDir(dataDir, quiet.clock)
  assert.throws(() => lockDataDir(dataDir, quiet.clock), /Another Parlance server/, 'not twice in one process either')
  lock.release()
  lock.release()
  lockDataDir(dataDir, quiet.clock).release()
})

test('two processes may open a new folder at the same time', async () => {
  const dataDir = join(folder, 'both')
  const children = ['x', 'y'].map(name => child('open', dataDir, name))
  assert.deepEqual(await Promise.all(children.map(line)), ['opened', 'opened'])
  await Promise.all(children.map(each => each.ended))
  const store = await openStore({ ...quiet, dataDir })
  assert.deepEqual(await names(store), ['x', 'y'])
  await store.close()
})

test('a folder that cannot be written is refused with its name and what to do', async () => {
  const dataDir = join(folder, 'readonly')
  mkdirSync(dataDir)
  chmodSync(folder, 0o755)
  chmodSync(dataDir, 0o555)
  // The superuser may write everywhere, so the child becomes someone else.
  const other = child('open', dataDir, 'x', process.getuid?.() === 0 ? 65_534 : undefined)
  const said = await line(other)
  await other.ended
  assert.match(
    said,
    new RegExp(`error Error: The data folder ${dataDir} cannot be written: .*choose another data folder`),
  )
  assert.deepEqual(readdirSync(dataDir), [])
})
