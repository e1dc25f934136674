import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'kysely'
import { type Clock, systemClock } from '../lib/clock.ts'
import { Fault } from '../lib/faults.ts'
import { type Log, silentLog } from '../lib/log.ts'
import {
  ConstraintFailed,
  preparedAddition,
  preparedInsert,
  StaleWrite,
  type Store,
  type StoreOptions,
} from './store.ts'

/** One empty database that can be opened more than once, one after the other. */
export interface Place {
  open(options?: Partial<Omit<StoreOptions, 'dataDir'>>): Promise<Store>
  /** A file name where a backup can be written, in a folder that exists. */
  backupPath(name: string): string
  /** Opens what `backup` wrote. */
  openBackup(path: string): Promise<Store>
  remove(): Promise<void>
}

export const quiet: { clock: Clock; log: Log } = { clock: systemClock, log: silentLog }

export const setting = (store: Store, name: string, value = '') =>
  store.build.insertInto('settings').values({ name, value })

export async function names(store: Store): Promise<string[]> {
  const rows = await store.read.selectFrom('settings').select('name').orderBy('name').execute()
  return rows.map(row => row.name)
}

export const usageRow = (id: string, created_at = 1) => ({
  id,
  organization_id: 'org-1',
  project_id: 'proj_1',
  key_id: 'key_1',
  user_id: null,
  operation: 'chat.completions.create',
  model: 'small',
  requested_model: 'gpt-4o-mini',
  end_user: null,
  input_tokens: 10,
  cached_tokens: 0,
  output_tokens: 5,
  requests: 1,
  quantity: 0,
  unit: null,
  variant: null,
  batch: 0 as const,
  cost_nano: 4500,
  reserved_nano: 0,
  status: 'ok' as const,
  duration_ms: 12,
  created_at,
})

export const usageColumns = [
  ...(['id', 'organization_id', 'project_id', 'key_id', 'user_id', 'operation', 'model', 'requested_model'] as const),
  ...(['end_user', 'input_tokens', 'cached_tokens', 'output_tokens', 'requests', 'quantity', 'unit'] as const),
  ...(['variant', 'batch', 'cost_nano', 'reserved_nano', 'status', 'duration_ms', 'created_at'] as const),
]

export const usage = (store: Store, id: string) => store.build.insertInto('usage').values(usageRow(id))

export async function usageIds(store: Store): Promise<string[]> {
  const rows = await store.read.selectFrom('usage').select('id').orderBy('id').execute()
  return rows.map(row => row.id)
}

/** What every backend of the store promises. */
export function storeContract(name: string, makePlace: () => Promise<Place>): void {
  describe(`store over ${name}`, () => {
    let place: Place
    let store: Store
    before(async () => {
      place = await makePlace()
      store = await place.open()
    })
    after(async () => {
      await store.close()
      await place.remove()
    })
    const emptied = async (): Promise<Store> => {
      await store.write([
        store.build.deleteFrom('settings'),
        store.build.deleteFrom('usage'),
        store.build.deleteFrom('api_keys'),
        store.build.deleteFrom('projects'),
        store.build.deleteFrom('organizations'),
      ])
      return store
    }
    writing(emptied)
    constraints(emptied)
    values(emptied)
    reading(emptied)
    writingSoon(emptied)
    lifeCycle(makePlace)
  })
}

type Emptied = () => Promise<Store>

function writing(emptied: Emptied): void {
  test('a write is visible to readers as soon as its promise resolves', async () => {
    const store = await emptied()
    for (let i = 0; i < 20; i++) {
      const { changes } = await store.write(setting(store, `s${i}`))
      assert.equal(changes, 1)
      assert.equal((await names(store)).length, i + 1)
    }
  })

  test('the statements of one call happen together or not at all', async () => {
    const store = await emptied()
    await assert.rejects(store.write([setting(store, 'a'), setting(store, 'b'), setting(store, 'a')]), ConstraintFailed)
    assert.deepEqual(await names(store), [])
    const written = await store.write([setting(store, 'a'), store.build.deleteFrom('settings'), setting(store, 'b')])
    assert.deepEqual(
      written.map(one => one.changes),
      [1, 1, 1],
    )
    assert.deepEqual(await names(store), ['b'])
  })

  test('`returning` gives the rows, and `changes` counts them', async () => {
    const store = await emptied()
    const { changes, rows } = await store.write(
      store.build
        .insertInto('settings')
        .values([
          { name: 'a', value: '1' },
          { name: 'b', value: '2' },
        ])
        .returning(['name', 'value']),
    )
    assert.equal(changes, 2)
    assert.deepEqual(rows, [
      { name: 'a', value: '1' },
      { name: 'b', value: '2' },
    ])
    const [updated, seen] = await store.write([
      store.build.updateTable('settings').set({ value: '3' }).where('name', '=', 'b').returning('value'),
      store.build.selectFrom('settings').selectAll().orderBy('name'),
    ])
    assert.deepEqual(updated, { changes: 1, rows: [{ value: '3' }] })
    assert.equal(seen.changes, 0)
    assert.deepEqual(
      seen.rows.map(row => row.value),
      ['1', '3'],
    )
  })

  test('a call that changes another number of rows than expected is undone as a whole', async () => {
    const store = await emptied()
    const remove = store.build.deleteFrom('settings').where('name', '=', 'a')
    await assert.rejects(store.write(remove, { expectChanges: 1 }), StaleWrite)
    await assert.rejects(
      store.write([setting(store, 'b'), { statement: remove, expectChanges: 1 }, setting(store, 'c')]),
      StaleWrite,
    )
    assert.deepEqual(await names(store), [])
    await store.write([setting(store, 'a'), { statement: remove, expectChanges: 1 }])
    await store.write(remove, { expectChanges: 0 })
  })

  test('of many who check and write at once, exactly one wins', async () => {
    const store = await emptied()
    await store.write(setting(store, 'state', 'queued'))
    const claims = Array.from({ length: 50 }, (_, worker) =>
      store.write(
        store.build
          .updateTable('settings')
          .set({ value: `claimed by ${worker}` })
          .where('name', '=', 'state')
          .where('value', '=', 'queued'),
        { expectChanges: 1 },
      ),
    )
    const outcomes = await Promise.allSettled(claims)
    assert.equal(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 1)
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof StaleWrite)
  })

  test('calls at the same time share commits, keep their order, and fail alone', async () => {
    const store = await emptied()
    await store.write(setting(store, 'last'))
    const before = store.health()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 500 }, (_, i) =>
        store.write(
          i % 10 === 3
            ? setting(store, 'last') // exists
            : store.build
                .updateTable('settings')
                .set({ value: String(i) })
                .where('name', '=', 'last'),
        ),
      ),
    )
    assert.equal(outcomes.filter(outcome => outcome.status === 'rejected').length, 50)
    const after = store.health()
    assert.equal(after.calls - before.calls, 450)
    assert.ok(after.commits - before.commits <= 10, `${after.commits - before.commits} commits`)
    assert.equal(after.waiting, 0)
    assert.deepEqual(await store.read.selectFrom('settings').select('value').execute(), [{ value: '499' }])
  })
}

function constraints(emptied: Emptied): void {
  test('a rule of the schema that refuses a write is named', async () => {
    const store = await emptied()
    const named = (constraint: string) => (error: unknown) =>
      error instanceof ConstraintFailed && error.constraint === constraint
    await store.write(setting(store, 'a'))
    await assert.rejects(store.write(setting(store, 'a')), named('unique'))
    const project = store.build
      .insertInto('projects')
      .values({ id: 'proj_1', organization_id: 'org-1', name: 'p', created_at: 1 })
    await assert.rejects(store.write(project), named('foreign-key'))
    await store.write([
      store.build.insertInto('organizations').values({ id: 'org-1', name: 'o', title: 'O', credit: 0, created_at: 1 }),
      project,
    ])
    await assert.rejects(store.write(store.build.deleteFrom('organizations')), named('foreign-key'))
    const nameless = store.build.insertInto('settings').values({ name: 'b', value: sql<string>`null` })
    await assert.rejects(store.write(nameless), named('not-null'))
  })

  test('two keys with the same hash are refused', async () => {
    const store = await emptied()
    const key = (id: string) =>
      store.build.insertInto('api_keys').values({
        id,
        organization_id: 'org-1',
        project_id: 'proj_1',
        name: 'k',
        hash: 'ab'.repeat(32),
        hint: 'sk-ab…wxyz',
        kind: 'user',
        user_id: null,
        service_account_id: null,
        scopes: 'all',
        models: null,
        created_at: 1,
        expires_at: null,
        revoked_at: null,
        last_used_at: null,
      })
    await store.write([
      store.build.insertInto('organizations').values({ id: 'org-1', name: 'o', title: 'O', credit: 0, created_at: 1 }),
      store.build.insertInto('projects').values({ id: 'proj_1', organization_id: 'org-1', name: 'p', created_at: 1 }),
      key('key_1'),
    ])
    await assert.rejects(store.write(key('key_2')), ConstraintFailed)
  })
}

function values(emptied: Emptied): void {
  test('integers within 2^53 come back exactly, as numbers, also as sums', async () => {
    const store = await emptied()
    const largest = Number.MAX_SAFE_INTEGER
    for (const [index, cost_nano] of [0, 1, -1, 2 ** 31, 2 ** 40 + 1, largest].entries())
      await store.write(store.build.insertInto('usage').values({ ...usageRow(`use_${index}`), cost_nano }))
    const rows = await store.read.selectFrom('usage').select('cost_nano').orderBy('id').execute()
    assert.deepEqual(
      rows.map(row => row.cost_nano),
      [0, 1, -1, 2 ** 31, 2 ** 40 + 1, largest],
    )
    const half = await store.read
      .selectFrom('usage')
      .select(sql<number>`duration_ms / ${5}`.as('fifth'))
      .executeTakeFirstOrThrow()
    assert.equal(half.fifth, 2, 'integers are divided as integers')
  })

  test('what cannot be stored exactly is refused, and nothing else suffers', async () => {
    const store = await emptied()
    const beside = store.write(setting(store, 'beside'))
    for (const cost_nano of [2 ** 53, -(2 ** 53), Number.NaN, Number.POSITIVE_INFINITY])
      await assert.rejects(
        store.write(store.build.insertInto('usage').values({ ...usageRow('use_1'), cost_nano })),
        RangeError,
      )
    await assert.rejects(store.write(store.build.selectNoFrom(sql`${2n ** 60n}`.as('x'))), RangeError)
    for (const value of [true, new Date(0), { a: 1 }])
      await assert.rejects(store.write(store.build.selectNoFrom(sql`${value}`.as('x'))), TypeError)
    await assert.rejects(store.read.selectNoFrom(sql<number>`9007199254740993`.as('x')).execute(), /2\^53/)
    await assert.rejects(store.write(store.build.selectNoFrom(sql`9007199254740993`.as('x'))), /2\^53/)
    await beside
    assert.deepEqual(await names(store), ['beside'])
    assert.equal(store.health().state, 'ok')
  })

  test('texts and bytes come back as they were when they were given', async () => {
    const store = await emptied()
    for (const text of ['', "'; drop table settings; --", '漢字 🎈 é', 'a'.repeat(100_000), '1', 'null']) {
      await store.write(setting(store, 'text', text))
      assert.deepEqual(await store.read.selectFrom('settings').select('value').execute(), [{ value: text }])
      await store.write(store.build.deleteFrom('settings'))
    }
    const bytes = Buffer.from([0, 1, 255])
    const echo = store.write(store.build.selectNoFrom(sql<Uint8Array>`${bytes}`.as('bytes')))
    bytes.fill(9)
    assert.deepEqual([...((await echo).rows[0]?.bytes ?? [])], [0, 1, 255])
  })
}

function reading(emptied: Emptied): void {
  test('nothing can be written through the reader', async () => {
    const store = await emptied()
    await assert.rejects(store.read.insertInto('settings').values({ name: 'a', value: '' }).execute(), Fault)
    await assert.rejects(store.read.deleteFrom('settings').execute(), Fault)
    await assert.rejects(store.read.schema.createTable('x').addColumn('a', 'text').execute(), Fault)
    await assert.rejects(
      store.read.transaction().execute(async () => {}),
      /no transactions/,
    )
    assert.deepEqual(await names(store), [])
  })

  test('the builder runs nothing', async () => {
    const store = await emptied()
    await assert.rejects(setting(store, 'a').execute(), /store\.write/)
  })

  test('queries of very many shapes are answered, also those that were prepared long ago', async () => {
    const store = await emptied()
    assert.deepEqual(await names(store), [])
    await store.write(setting(store, 'a'))
    for (let length = 1; length <= 400; length++) {
      const list = Array.from({ length }, (_, i) => String(i))
      assert.deepEqual(await store.read.selectFrom('settings').selectAll().where('name', 'in', list).execute(), [])
    }
    assert.deepEqual(await names(store), ['a'])
  })
}

function writingSoon(emptied: Emptied): void {
  test('rows written soon are there after flush, in few commits', async () => {
    const store = await emptied()
    const before = store.health()
    const insert = preparedInsert(store.build, 'usage', usageColumns)
    for (let i = 0; i < 1200; i++) await store.writeSoon(insert(usageRow(`use_${i}`, i)))
    await store.flush()
    const [sum] = await store.read
      .selectFrom('usage')
      .select(({ fn }) => [fn.countAll<number>().as('rows'), fn.max('created_at').as('last')])
      .execute()
    assert.deepEqual(sum, { rows: 1200, last: 1199 })
    const after = store.health()
    assert.equal(after.soon.stored - before.soon.stored, 1200)
    assert.equal(after.soon.waiting, 0)
    assert.ok(after.commits - before.commits <= 6, `${after.commits - before.commits} commits`)
  })

  test('rows written soon are stored without anyone asking', async () => {
    const store = await emptied()
    await store.writeSoon(usage(store, 'use_1'))
    assert.deepEqual(await usageIds(store), [])
    while ((await usageIds(store)).length === 0) await turn()
  })

  for (const prepared of [false, true])
    test(`a ${prepared ? 'prepared ' : ''}row that a rule refuses is counted, and the others are stored`, async () => {
      const store = await emptied()
      const { refused } = store.health().soon
      const insert = preparedInsert(store.build, 'usage', usageColumns)
      for (const id of ['use_1', 'use_2', 'use_1', 'use_3'])
        await store.writeSoon(prepared ? insert(usageRow(id)) : usage(store, id))
      await store.flush()
      assert.deepEqual(await usageIds(store), ['use_1', 'use_2', 'use_3'])
      assert.equal(store.health().soon.refused, refused + 1)
      assert.equal(store.health().state, 'ok')
    })

  test('a prepared insert can be written at once as well, alone and with others', async () => {
    const store = await emptied()
    const insert = preparedInsert(store.build, 'usage', usageColumns)
    const { changes, rows } = await store.write(insert(usageRow('use_1')))
    assert.deepEqual({ changes, rows }, { changes: 1, rows: [] })
    await assert.rejects(store.write(insert(usageRow('use_1'))), ConstraintFailed)
    await assert.rejects(store.write([insert(usageRow('use_2')), insert(usageRow('use_1'))]), ConstraintFailed)
    await assert.rejects(store.write(insert(usageRow('use_3')), { expectChanges: 2 }), StaleWrite)
    assert.deepEqual(await usageIds(store), ['use_1'])
  })

  test('a prepared insert that finds its row keeps the old one or takes the new one, as it was made', async () => {
    const store = await emptied()
    const conflict = (keep: 'old' | 'new') => preparedInsert(store.build, 'usage', usageColumns, { key: 'id', keep })
    const [keeps, replaces] = [conflict('old'), conflict('new')]
    const models = async () => {
      const rows = await store.read.selectFrom('usage').select(['id', 'model', 'status']).orderBy('id').execute()
      return rows.map(row => `${row.id} ${row.model} ${row.status}`)
    }
    const { refused } = store.health().soon
    await store.writeSoon(keeps({ ...usageRow('use_1'), model: 'first', status: 'open' }))
    await store.writeSoon(replaces({ ...usageRow('use_1'), model: 'second' }))
    await store.writeSoon(keeps({ ...usageRow('use_1'), model: 'third', status: 'open' }))
    await store.writeSoon(replaces({ ...usageRow('use_2'), model: 'only' }))
    await store.flush()
    assert.deepEqual(await models(), ['use_1 second ok', 'use_2 only ok'])
    assert.equal(store.health().soon.refused, refused)
    const [kept, replaced] = await store.write([keeps(usageRow('use_1')), replaces(usageRow('use_1'))])
    assert.deepEqual([kept.changes, replaced.changes], [0, 1])
  })

  test('a prepared addition adds to one row, in one unit with others', async () => {
    const store = await emptied()
    const add = preparedAddition(store.build, 'usage', 'cost_nano', 'id')
    await store.write([usage(store, 'use_1'), usage(store, 'use_2'), add('use_1', 500)])
    await store.writeSoon([add('use_1', 1), add('use_2', -4500)])
    await store.flush()
    const rows = await store.read.selectFrom('usage').select('cost_nano').orderBy('id').execute()
    assert.deepEqual(rows, [{ cost_nano: 5001 }, { cost_nano: 0 }])
    assert.equal((await store.write(add('use_3', 1))).changes, 0)
    await assert.rejects(store.write([add('use_1', 1), usage(store, 'use_2')]), ConstraintFailed)
    const [row] = await store.read.selectFrom('usage').select('cost_nano').orderBy('id').execute()
    assert.deepEqual(row, { cost_nano: 5001 }, 'a unit that fails adds nothing')
  })
}

function lifeCycle(makePlace: () => Promise<Place>): void {
  test('close stores what waits, and the next opening finds everything', async () => {
    const place = await makePlace()
    const first = await place.open({ flushMs: 60_000 })
    const pending = first.write(setting(first, 'a'))
    await first.writeSoon(usage(first, 'use_1'))
    await first.close()
    await first.close()
    await pending
    assert.equal(first.health().state, 'closed')
    const draining = (error: unknown) => error instanceof Fault && error.code === 'shutting_down'
    await assert.rejects(first.write(setting(first, 'b')), draining)
    await assert.rejects(first.writeSoon(usage(first, 'use_2')), draining)

    const second = await place.open()
    assert.deepEqual(await names(second), ['a'])
    assert.deepEqual(await usageIds(second), ['use_1'])
    await second.close()
    await place.remove()
  })

  test('a backup holds everything acknowledged before it, and replaces nothing', async () => {
    const place = await makePlace()
    const store = await place.open()
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.write(setting(store, `s${i}`))))
    const path = place.backupPath('copy.db')
    const during = store.write(setting(store, 't'))
    await store.backup(path)
    await during
    await assert.rejects(store.backup(path), /No backup was written/)
    await store.write(setting(store, 'later'))
    const copy = await place.openBackup(path)
    assert.equal((await names(copy)).length, 51)
    await copy.close()
    await store.close()
    await place.remove()
  })
}
