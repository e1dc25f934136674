import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../lib/clock.ts'
import { makeIds } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { sibling } from '../../lib/modules.ts'
import { type Random, seededRandom, systemRandom } from '../../lib/random.ts'
import { openStore, type Store } from '../../store/store.ts'
import { makeLedger } from './index.ts'

const quiet = { clock: systemClock, log: silentLog }

/** What killed processes have said. */
interface Said {
  begun: string[]
  /** Tokens of output by name. */
  done: Map<string, number>
  refused: number
}

/**
 * Kills a spending process again and again, and checks after the last time what is left: nothing is open, every row is right, the
 * limit held, and with `strict` everything that was begun or done is there.
 */
export async function killAndRecount(mode: 'grouped' | 'strict', { kills, seed }: { kills: number; seed: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'parlance-ledger-crash-'))
  try {
    const dataDir = join(folder, 'data')
    const random = seededRandom(seed)
    const hardNano = 20_000 * (50 + (random.uint32() % (100 * kills)))
    await prepare(dataDir, hardNano)
    const said: Said = { begun: [], done: new Map(), refused: 0 }
    for (let kill = 0; kill < kills; kill++)
      listen(said, await killed([dataDir, String(seed * 1000 + kill), mode], random, join(folder, 'compiled')))
    const store = await openStore({ ...quiet, dataDir })
    await recount(store, { mode, hardNano, said })
    await store.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function prepare(dataDir: string, hardNano: number): Promise<void> {
  const store = await openStore({ ...quiet, dataDir })
  await store.write([
    store.build.insertInto('organizations').values({ id: 'org-1', name: 'o', title: 'O', credit: 1, created_at: 1 }),
    store.build.insertInto('spend_limits').values({
      organization_id: 'org-1',
      subject: 'organization',
      subject_id: 'org-1',
      hard_nano: hardNano,
      soft_nano: null,
      updated_at: 1,
    }),
    store.build.insertInto('credit_grants').values({
      id: 'grant_1',
      organization_id: 'org-1',
      kind: 'grant',
      amount_nano: 1e12,
      used_nano: 0,
      note: '',
      created_at: 1,
      expires_at: null,
    }),
  ])
  await store.close()
}

/** Starts a spender and kills it after so many lines. @returns all that it said */
async function killed(words: string[], random: Random, compileCache: string): Promise<string[]> {
  const child = spawn(process.execPath, [sibling(import.meta.url, './spending.fixture').pathname, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: compileCache },
  })
  const ended = once(child, 'close')
  const said: string[] = []
  const enough = 1 + (random.uint32() % 300)
  for await (const line of createInterface({ input: child.stdout }))
    if (said.push(line) === enough) child.kill('SIGKILL')
  await ended
  return said
}

function listen(said: Said, lines: readonly string[]): void {
  for (const line of lines) {
    const [event, name = '', output] = line.split(' ')
    if (event === 'begun') said.begun.push(name)
    else if (event === 'done') said.done.set(name, Number(output))
    else said.refused++
  }
}

async function recount(
  store: Store,
  known: { mode: 'grouped' | 'strict'; hardNano: number; said: Said },
): Promise<void> {
  const { mode, hardNano, said } = known
  const ledger = await makeLedger({ ...quiet, store, ids: makeIds(systemRandom) }, { mode, reconcile: true })
  ledger.close()
  const rows = await store.read.selectFrom('usage').selectAll().execute()
  const byName = new Map(rows.map(row => [row.end_user ?? '', row]))
  assert.equal(byName.size, rows.length, 'one row a request')
  for (const row of rows) {
    if (row.status === 'interrupted') assert.equal(row.cost_nano, row.reserved_nano)
    else assert.equal(row.status, 'ok')
    const output = said.done.get(row.end_user ?? '')
    if (output !== undefined && row.status === 'ok') assert.equal(row.cost_nano, 10_000 + output * 2000)
  }
  if (mode === 'strict') {
    for (const name of said.begun) assert.ok(byName.has(name), `${name} began and is not there`)
    for (const name of said.done.keys()) assert.equal(byName.get(name)?.status, 'ok', `${name} was done`)
  }
  const spentNano = rows.reduce((sum, row) => sum + row.cost_nano, 0)
  assert.ok(spentNano <= hardNano, `${spentNano} of ${hardNano}`)
  assert.equal(ledger.standing('org-1', 'organization', 'org-1')?.spentNano, spentNano)
  const grant = await store.read.selectFrom('credit_grants').select('used_nano').executeTakeFirstOrThrow()
  assert.equal(grant.used_nano, spentNano, 'the credit pays what the rows say')
  assert.ok(said.begun.length > 0)
}
