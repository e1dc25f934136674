import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '../../lib/faults.ts'
import { type Random, seededRandom } from '../../lib/random.ts'
import type { LimitSubject } from '../../store/schema/money.ts'
import { testCaller } from '../caller.fixture.ts'
import { intent, type LedgerWorld, ledgerWorld, outcome, worst } from './ledger.fixture.ts'
import type { OpenLedger } from './types.ts'

const pick = (random: Random, below: number) => random.uint32() % below

/** A request: reserved, running for some turns of the event loop, and ended somehow. Its cost is never more than was told. */
async function request(ledger: OpenLedger, random: Random, asked: { input: number; output: number; endUser: string }) {
  const counts = pick(random, 3) === 0
  const count = async () => {
    for (let turns = pick(random, 4); turns > 0; turns--) await turn()
    return asked.input
  }
  const bound = worst(counts ? asked.input * 3 : asked.input, asked.output, counts ? { count } : {})
  for (let turns = pick(random, 3); turns > 0; turns--) await turn()
  try {
    const held = await ledger.reserve(intent(bound, { endUser: asked.endUser }))
    const output = Math.min(asked.output, held.outputMax ?? asked.output)
    for (let turns = pick(random, 8); turns > 0; turns--) await turn()
    const end = pick(random, 10)
    if (end === 0) await held.settle(outcome(0, 0, 'failed'))
    else if (end === 1) await held.settle(outcome(asked.input, pick(random, output + 1), 'failed'))
    else if (end === 2) await held.settle(outcome(asked.input, pick(random, output + 1), 'cancelled'))
    else await held.settle(outcome(asked.input, output))
    return held.outputMax === null ? 'whole' : 'clamped'
  } catch (error) {
    assert.ok(error instanceof Fault && error.code === 'insufficient_quota', String(error))
    return 'refused'
  }
}

async function recount(world: LedgerWorld): Promise<number> {
  const rows = await world.rows()
  return rows.reduce((sum, row) => sum + row.cost_nano, 0)
}

const budget = 10 * 20_000
const subjects = [
  { subject: 'organization', id: 'org-1' },
  { subject: 'project', id: 'proj_1' },
  { subject: 'key', id: 'key_1' },
  { subject: 'end_user', id: 'anna' },
  { subject: 'credit', id: 'org-1' },
] as const

test('200 requests at once against a budget for ten: 50 trials with disconnects and failures overspend nothing and leave nothing held', async t => {
  const world = await ledgerWorld()
  t.after(() => world.close())
  for (let trial = 0; trial < 50; trial++) {
    const { subject, id } = subjects[trial % subjects.length]!
    const random = seededRandom(trial)
    await world.empty()
    if (subject === 'credit') {
      await world.organization('org-1', 1)
      for (const part of [1, 2, 3, 4]) await world.grant({ id: `grant_${part}`, amount: budget / 4 })
    } else await world.limit({ subject, id, hard: budget })
    const ledger = await world.open({ mode: trial % 10 === 9 ? 'strict' : 'grouped' })
    const ended = await Promise.all(
      Array.from({ length: 200 }, () => request(ledger, random, { input: 10, output: 5, endUser: 'anna' })),
    )
    const standing = ledger.standing('org-1', subject, id)
    const name = `trial ${trial}: ${subject}`
    assert.equal(standing?.heldNano, 0, name)
    assert.equal(await ledger.settled(0), 0, name)
    const spent = await recount(world)
    assert.equal(standing?.spentNano, spent, name)
    assert.ok(spent <= budget, `${name}: ${spent}`)
    assert.ok(ended.includes('whole') && ended.includes('refused'), name)
    if (subject === 'credit') {
      const used = Object.values(await world.used()).reduce((sum, nano) => sum + nano, 0)
      assert.equal(used, spent, name)
    }
  }
})

const people = ['anna', 'bert', 'cora']
const creditExpiryMs = 60
const grants = { soon: 300_000, ever: 500_000 }

interface Scene {
  ledger: OpenLedger
  random: Random
  /** Whose money is limited: subject and id. */
  limited: (readonly [subject: LimitSubject | 'credit', id: string])[]
  /** When the first grant of credit expires. */
  expiresAt: number
}

/** Some of all limits, chosen by chance, and sometimes credit. */
async function scene(world: LedgerWorld, random: Random): Promise<Scene> {
  await world.empty()
  const limited: Scene['limited'] = []
  for (const { subject, id, least, more } of [
    { subject: 'organization', id: 'org-1', least: 20, more: 40 },
    { subject: 'project', id: 'proj_1', least: 5, more: 20 },
    { subject: 'project', id: 'proj_2', least: 5, more: 20 },
    { subject: 'key', id: 'key_1', least: 5, more: 20 },
    { subject: 'end_user', id: '*', least: 3, more: 10 },
  ] as const) {
    if (pick(random, 3) === 0) continue
    await world.limit({ subject, id, hard: 20_000 * (least + pick(random, more)) })
    for (const name of id === '*' ? people : [id]) limited.push([subject, name])
  }
  const expiresAt = world.time.now() + creditExpiryMs
  if (pick(random, 2) === 0) {
    await world.organization('org-1', 1)
    await world.grant({ id: 'soon', amount: grants.soon, expiresAt })
    await world.grant({ id: 'ever', amount: grants.ever })
    limited.push(['credit', 'org-1'])
  }
  return { ledger: await world.open(), random, limited, expiresAt }
}

/** Nobody has spent, with what is held for them, more than their limit. */
function assertWithin({ ledger, limited, expiresAt }: Scene, nowMs: number, name: string): void {
  for (const [subject, id] of limited) {
    if (subject === 'credit' && nowMs >= expiresAt) continue // its standing is of the grants that are left
    const standing = ledger.standing('org-1', subject, id)
    if (standing === undefined || standing.limitNano === null) continue
    assert.ok(standing.heldNano >= 0)
    assert.ok(standing.spentNano + standing.heldNano <= standing.limitNano, `${name}: ${subject} ${id}`)
  }
}

async function someRequest({ ledger, random }: Scene, check: () => void): Promise<void> {
  const caller = testCaller({ projectId: `proj_${1 + pick(random, 2)}`, keyId: `key_${1 + pick(random, 2)}` })
  for (let turns = pick(random, 30); turns > 0; turns--) await turn()
  const [input, output] = [pick(random, 12), pick(random, 8)]
  try {
    const held = await ledger.reserve(
      intent(worst(input, output), { caller, endUser: people[pick(random, 3)] ?? null }),
    )
    check()
    for (let turns = pick(random, 20); turns > 0; turns--) await turn()
    await held.settle(outcome(input, pick(random, Math.min(output, held.outputMax ?? output) + 1)))
    check()
  } catch (error) {
    assert.ok(error instanceof Fault && error.code === 'insufficient_quota', String(error))
  }
}

/** Memory is what the rows add up to. */
async function assertRecounted(world: LedgerWorld, { ledger, limited }: Scene, name: string): Promise<void> {
  const rows = await world.rows()
  const columns = {
    organization: 'organization_id',
    project: 'project_id',
    key: 'key_id',
    end_user: 'end_user',
  } as const
  for (const [subject, id] of limited) {
    if (subject === 'credit') {
      const { soon = 0, ever = 0 } = await world.used()
      assert.ok(soon <= grants.soon && ever <= grants.ever, name)
      assert.equal(
        soon + ever,
        rows.reduce((sum, row) => sum + row.cost_nano, 0),
        `${name}: credit`,
      )
      continue
    }
    const standing = ledger.standing('org-1', subject, id)
    if (standing === undefined) continue
    const spent = rows.filter(row => row[columns[subject]] === id).reduce((sum, row) => sum + row.cost_nano, 0)
    assert.deepEqual([standing.spentNano, standing.heldNano], [spent, 0], `${name}: ${subject} ${id}`)
  }
}

test('whatever comes in whatever order: spent and held stay within every limit, and memory is what the rows add up to', async t => {
  const world = await ledgerWorld()
  t.after(() => world.close())
  for (let seed = 1; seed <= 15; seed++) {
    const random = seededRandom(seed)
    const here = await scene(world, random)
    const check = () => assertWithin(here, world.time.now(), `seed ${seed}`)
    let running = 80
    const requests = Array.from({ length: running }, () => someRequest(here, check).finally(() => running--))
    while (running > 0) {
      world.time.advance(pick(random, 4))
      if (pick(random, 20) === 0) await here.ledger.changed()
      await turn()
    }
    await Promise.all(requests)
    await assertRecounted(world, here, `seed ${seed}`)
  }
})
