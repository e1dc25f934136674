import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { testCaller } from '../caller.fixture.ts'
import { intent, type LedgerWorld, ledgerWorld, november20, outcome, worst } from './ledger.fixture.ts'

let world: LedgerWorld
before(async () => {
  world = await ledgerWorld()
})
after(() => world.close())
beforeEach(() => world.empty())

const day = 86_400_000

test('a limit that appears later counts what was spent before, also what is still on its way to the disk', async () => {
  const ledger = await world.open()
  const spend = async (tokens: number) => (await ledger.reserve(intent(worst(0, 0)))).settle(outcome(tokens, 0))
  await spend(1)
  await world.stored()
  world.time.advance(day)
  await spend(10)
  await world.stored()
  await spend(100)
  const running = await ledger.reserve(intent(worst(0, 0)))
  await world.limit({ subject: 'organization', hard: 10_000_000 })
  await world.limit({ subject: 'project', id: 'proj_1', hard: 10_000_000 })
  await world.limit({ subject: 'key', id: 'key_2', hard: 10_000_000 })
  const changed = ledger.changed()
  await spend(1000)
  await changed
  running.settle(outcome(5000, 0))
  for (const [subject, id, spentNano] of [
    ['organization', 'org-1', 6_111_000],
    ['project', 'proj_1', 6_111_000],
    ['key', 'key_2', 0],
  ] as const)
    assert.deepEqual(ledger.standing('org-1', subject, id), { limitNano: 10_000_000, spentNano, heldNano: 0 })
})

test('spending goes on while a limit is read, and not a token is missed or counted twice', async () => {
  const ledger = await world.open()
  const spend = async () => (await ledger.reserve(intent(worst(0, 0)))).settle(outcome(1, 0))
  let spent = 0
  for (let round = 0; round < 20; round++) {
    const id = `key_of_${round}`
    const caller = testCaller({ keyId: id })
    const spendAs = async () => (await ledger.reserve(intent(worst(0, 0), { caller }))).settle(outcome(1, 0))
    for (let i = 0; i < round; i++) await spendAs()
    if (round % 3 === 0) world.time.advance(7)
    await world.limit({ subject: 'key', id, hard: 1_000_000 })
    let done = false
    const changed = ledger.changed().finally(() => {
      done = true
    })
    for (spent = round; !done; spent++) {
      await spendAs()
      await spend()
      if (spent % 5 === 0) world.time.advance(5)
      await turn()
    }
    await changed
    assert.equal(ledger.standing('org-1', 'key', id)?.spentNano, spent * 1000, `round ${round}`)
  }
})

test('what another process changes is found by looking', async () => {
  const ledger = await world.open()
  const limitOf = () => ledger.standing('org-1', 'organization', 'org-1')?.limitNano
  await world.limit({ subject: 'organization', hard: 1000 })
  await ledger.look()
  assert.equal(limitOf(), 1000)
  world.time.advance(1)
  await world.limit({ subject: 'organization', hard: 2000 })
  await ledger.look()
  assert.equal(limitOf(), 2000)
  await world.limit({ subject: 'organization' })
  await ledger.look()
  assert.equal(limitOf(), null)
  await world.organization('org-1', 1)
  await ledger.look()
  assert.equal(ledger.standing('org-1', 'credit', 'org-1')?.limitNano, 0)
  await world.grant({ id: 'a', amount: 500 })
  await ledger.look()
  assert.equal(ledger.standing('org-1', 'credit', 'org-1')?.limitNano, 500)
  await world.store.write(
    world.store.build
      .updateTable('credit_grants')
      .set({ expires_at: november20 - 1 })
      .where('id', '=', 'a'),
  )
  await ledger.look()
  assert.equal(ledger.standing('org-1', 'credit', 'org-1')?.limitNano, 0)
})

test('a limit that is taken away and set again still knows what was spent and held', async () => {
  await world.limit({ subject: 'project', id: 'proj_1', hard: 100_000 })
  const ledger = await world.open()
  const running = await ledger.reserve(intent(worst(10, 5)))
  const more = await ledger.reserve(intent(worst(10, 5)))
  await world.limit({ subject: 'project', id: 'proj_1' })
  await ledger.changed()
  ;(await ledger.reserve(intent(() => assert.fail('nothing is limited now')))).settle(outcome(1, 0))
  running.settle(outcome(10, 0))
  await world.limit({ subject: 'project', id: 'proj_1', hard: 50_000 })
  await ledger.changed()
  assert.deepEqual(ledger.standing('org-1', 'project', 'proj_1'), {
    limitNano: 50_000,
    spentNano: 11_000,
    heldNano: 20_000,
  })
  more.settle(outcome(0, 0, 'failed'))
})

test('an own limit of an end user comes and goes; without it the common one holds', async () => {
  await world.limit({ subject: 'end_user', id: '*', hard: 50_000 })
  const ledger = await world.open()
  const limitOf = () => ledger.standing('org-1', 'end_user', 'anna')?.limitNano
  const held = await ledger.reserve(intent(worst(1, 1), { endUser: 'anna' }))
  held.settle(outcome(1, 1))
  assert.equal(limitOf(), 50_000)
  await world.limit({ subject: 'end_user', id: 'anna', hard: 7000 })
  await ledger.changed()
  assert.equal(limitOf(), 7000)
  await world.limit({ subject: 'end_user', id: 'anna' })
  await ledger.changed()
  assert.equal(limitOf(), 50_000)
  await world.limit({ subject: 'end_user', id: '*' })
  await ledger.changed()
  assert.equal(limitOf(), null)
})

test('two requests of an end user who was not seen before are both held to the limit', async () => {
  await world.limit({ subject: 'end_user', id: '*', hard: 30_000 })
  const ledger = await world.open()
  const asked = () => ledger.reserve(intent(worst(10, 5), { endUser: 'anna' }))
  const [one, two, three] = await Promise.allSettled([asked(), asked(), asked()])
  assert.ok(one.status === 'fulfilled' && one.value.outputMax === null)
  assert.ok(two.status === 'rejected', 'the rest is 10,000: not even one token')
  assert.ok(three.status === 'rejected')
})

test('more end users than are kept in mind: those who pause are looked up again', async () => {
  await world.limit({ subject: 'end_user', id: '*', hard: 3000 })
  const ledger = await world.open({ endUsersMax: 10 })
  const spend = async (endUser: string) =>
    (await ledger.reserve(intent(worst(1, 1), { endUser }))).settle(outcome(1, 0))
  await spend('first')
  const running = await ledger.reserve(intent(worst(1, 1), { endUser: 'runs' }))
  for (let i = 0; i < 11; i++) await spend(`user-${i}`)
  assert.equal(ledger.standing('org-1', 'end_user', 'first'), undefined)
  await assert.rejects(async () => ledger.reserve(intent(worst(2, 1), { endUser: 'first' })), /'first'/)
  assert.equal(ledger.standing('org-1', 'end_user', 'first')?.spentNano, 1000)
  assert.equal(ledger.standing('org-1', 'end_user', 'runs')?.heldNano, 3000, 'whoever holds something is kept')
  running.settle(outcome(1, 1))
})

test('accounts of another organisation with the same names are other accounts', async () => {
  await world.organization('org-2')
  await world.limit({ subject: 'key', id: 'key_1', hard: 10_000 })
  await world.limit({ subject: 'key', id: 'key_1', hard: 90_000, organization: 'org-2' })
  const ledger = await world.open()
  const caller = testCaller({ organizationId: 'org-2' })
  ;(await ledger.reserve(intent(worst(10, 5), { caller }))).settle(outcome(10, 5))
  await world.stored()
  const again = await world.open()
  assert.equal(again.standing('org-1', 'key', 'key_1')?.spentNano, 0)
  assert.equal(again.standing('org-2', 'key', 'key_1')?.spentNano, 20_000)
})

test('a reading that fails leaves what was known, and the next one reads everything', async () => {
  const ledger = await world.open()
  ;(await ledger.reserve(intent(worst(0, 0)))).settle(outcome(7, 0))
  await world.stored()
  await world.limit({ subject: 'organization', hard: 10_000 })
  const { read } = world.store
  const failing = Object.create(read, {
    selectFrom: {
      value(table: 'usage') {
        if (table === 'usage') throw new Error('the disk is gone')
        return read.selectFrom(table)
      },
    },
  })
  Object.defineProperty(world.store, 'read', { value: failing, configurable: true })
  try {
    await assert.rejects(ledger.changed(), /the disk is gone/)
    assert.equal(ledger.standing('org-1', 'organization', 'org-1')?.limitNano, null)
    ;(await ledger.reserve(intent(worst(0, 0)))).settle(outcome(2, 0))
  } finally {
    Object.defineProperty(world.store, 'read', { value: read, configurable: true })
  }
  await ledger.look()
  assert.deepEqual(ledger.standing('org-1', 'organization', 'org-1'), {
    limitNano: 10_000,
    spentNano: 9000,
    heldNano: 0,
  })
})
