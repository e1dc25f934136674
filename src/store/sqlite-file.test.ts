import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { lockDataDir } from './lock.ts'
import type { Migration } from './migrate.ts'
import { migrations } from './migrations/index.ts'
import { openSqlite } from './sqlite.ts'
import { names, quiet, setting } from './store.contract.ts'
import { openStore } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'parlance-file-'))
after(() => rmSync(folder, { recursive: true }))

let places = 0
const newDataDir = (): string => join(folder, String(places++))

/** A database of the first schema with one setting. */
async function filled(rows = 1): Promise<string> {
  const dataDir = newDataDir()
  const store = await openStore({ ...quiet, dataDir })
  await store.write(Array.from({ length: rows }, (_, i) => setting(store, `s${i}`, 'x'.repeat(200))))
  await store.close()
  return dataDir
}

/** The version of today, and the one after it. */
const today = migrations.length
const next: Migration = {
  number: today + 1,
  name: 'notes',
  async up(db) {
    await db.schema.createTable('notes').addColumn('id', 'text').execute()
  },
}

const versions = (path: string): unknown[] => {
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = database.prepare('select version, name from schema_version order by version').all()
  database.close()
  return rows.map(row => ({ ...row }))
}

test('the folder and the database are readable by their owner alone', async t => {
  if (process.platform === 'win32') return t.skip('no such rights there')
  const dataDir = await filled()
  const store = await openStore({ ...quiet, dataDir })
  await store.write(setting(store, 'a'))
  await store.backup(join(dataDir, 'copy.db'))
  assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  for (const name of readdirSync(dataDir)) assert.equal(statSync(join(dataDir, name)).mode & 0o077, 0, name)
  await store.close()
})

test('an existing database is copied before it is upgraded, and upgraded once', async () => {
  const dataDir = await filled()
  for (let round = 0; round < 2; round++) await (await openSqlite({ ...quiet, dataDir }, [...migrations, next])).close()
  const all = [...migrations, next].map(({ number, name }) => ({ version: number, name }))
  assert.deepEqual(versions(join(dataDir, 'parlance.db')), all)
  const backups = readdirSync(join(dataDir, 'backups'))
  assert.equal(backups.length, 1)
  assert.deepEqual(versions(join(dataDir, 'backups', backups[0] ?? '')), all.slice(0, -1))
})

test('keys and usage of the first version are there after the upgrade, and the keys work on', async () => {
  const dataDir = newDataDir()
  await (await openSqlite({ ...quiet, dataDir }, migrations.slice(0, 1))).close()
  const old = new DatabaseSync(join(dataDir, 'parlance.db'))
  old.exec(`insert into organizations values ('org-1', 'default', 5);
    insert into projects values ('proj_1', 'org-1', 'Default project', 5);
    insert into api_keys values ('key_1', 'org-1', 'proj_1', 'mine', '${'ab'.repeat(32)}', 'sk-ab***wxyz', 'owner', 5, null, 7);
    insert into usage values ('use_1', 'org-1', 'proj_1', 'key_1', 'chat.completions.create', 'small', 'gpt-4o', null, 10, 0, 5, 1, 4500, 'ok', 12, 5)`)
  old.close()
  const store = await openStore({ ...quiet, dataDir })
  const key = await store.read.selectFrom('api_keys').selectAll().executeTakeFirstOrThrow()
  const usage = await store.read.selectFrom('usage').selectAll().executeTakeFirstOrThrow()
  await store.close()
  assert.deepEqual(
    { id: key.id, kind: key.kind, scopes: key.scopes, name: key.name, used: key.last_used_at },
    { id: 'key_1', kind: 'user', scopes: 'all', name: 'mine', used: 7 },
  )
  assert.deepEqual([usage.cost_nano, usage.reserved_nano, usage.batch, usage.unit], [4500, 0, 0, null])
})

test('a new database needs no backup', async () => {
  assert.deepEqual(readdirSync(await filled()), ['parlance.db'])
})

test('a migration that fails changes nothing, and the good one works afterwards', async () => {
  const dataDir = await filled()
  const failing: Migration = {
    ...next,
    async up(db) {
      await next.up(db)
      await db.deleteFrom('settings' as never).execute()
      throw new Error('out of luck')
    },
  }
  await assert.rejects(openSqlite({ ...quiet, dataDir }, [...migrations, failing]), /out of luck/)
  const old = await openStore({ ...quiet, dataDir })
  assert.deepEqual(await names(old), ['s0'])
  await old.close()
  await (await openSqlite({ ...quiet, dataDir }, [...migrations, next])).close()
})

test('a database of a newer schema is refused and left alone', async () => {
  const dataDir = await filled()
  await (await openSqlite({ ...quiet, dataDir }, [...migrations, next])).close()
  const before = readFileSync(join(dataDir, 'parlance.db'))
  await assert.rejects(
    openStore({ ...quiet, dataDir }),
    new RegExp(
      `parlance\\.db has schema version ${today + 1}, but this version of Parlance knows only ${today}\\. Use the newer Parlance .* restore a backup from .*backups`,
    ),
  )
  assert.ok(readFileSync(join(dataDir, 'parlance.db')).equals(before))
})

test('an existing database is not upgraded under a running server, except by that server', async () => {
  const dataDir = await filled()
  const lock = lockDataDir(dataDir, quiet.clock)
  await assert.rejects(openSqlite({ ...quiet, dataDir }, [...migrations, next]), /Another Parlance server/)
  assert.equal(versions(join(dataDir, 'parlance.db')).length, today)
  await (await openSqlite({ ...quiet, dataDir, lock }, [...migrations, next])).close()
  assert.equal(versions(join(dataDir, 'parlance.db')).length, today + 1)
  lock.release()
})

test('the database of another program is refused and left alone', async () => {
  const dataDir = newDataDir()
  mkdirSync(dataDir)
  const other = new DatabaseSync(join(dataDir, 'parlance.db'))
  other.exec('create table recipes (name text)')
  other.close()
  await assert.rejects(openStore({ ...quiet, dataDir }), /was not made by Parlance.*left as it is/)
})

test('a damaged file is refused with its name, the newest backup and what to do, and is never changed', async () => {
  const damages: Record<string, (path: string) => void> = {
    'no database': path => writeFileSync(path, 'This is not a database. '.repeat(500)),
    truncated: path => writeFileSync(path, readFileSync(path).subarray(0, 20_000)),
    'a page overwritten': path => writeSync(openSync(path, 'r+'), Buffer.alloc(4096, 0xa5), 0, 4096, 4096 * 3),
    'header overwritten': path => writeSync(openSync(path, 'r+'), Buffer.alloc(100, 0), 0, 100, 0),
  }
  for (const [damage, apply] of Object.entries(damages)) {
    const dataDir = await filled(500)
    const path = join(dataDir, 'parlance.db')
    mkdirSync(join(dataDir, 'backups'))
    for (const name of ['parlance-1-20250102T000000000Z.db', 'parlance-1-20250101T000000000Z.db'])
      writeFileSync(join(dataDir, 'backups', name), '')
    apply(path)
    const before = readFileSync(path)
    await assert.rejects(
      openStore({ ...quiet, dataDir }),
      error =>
        error instanceof Error &&
        error.message.startsWith(`The database ${path} is damaged: `) &&
        error.message.includes('backups/parlance-1-20250102T000000000Z.db'),
      damage,
    )
    assert.ok(readFileSync(path).equals(before), `${damage}: the file was changed`)
  }
})
