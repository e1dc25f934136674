import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { testCaller } from '../caller.fixture.ts'
import { intent, type LedgerWorld, ledgerWorld, november20, outcome, worst } from './ledger.fixture.ts'
import type { Intent, OpenLedger, Reservation } from './types.ts'

let world: LedgerWorld
before(async () => {
  world = await ledgerWorld()
})
after(() => world.close())
beforeEach(() => world.empty())

/** Reserves and settles at once what it may come to. */
function serve(
  ledger: OpenLedger,
  asked: Intent,
  input = asked.worst().inputTokens,
  output = asked.worst().outputTokens ?? 0,
) {
  const held = now(ledger.reserve(asked))
  held.settle(outcome(input, Math.min(output, held.outputMax ?? output)))
}

const now = (reservation: Reservation | Promise<Reservation>): Reservation => {
  assert.ok(!(reservation instanceof Promise), 'nothing had to be waited for')
  return reservation
}

const refused = (error: unknown) =>
  error instanceof Fault &&
  error.status === 429 &&
  error.type === 'insufficient_quota' &&
  error.code === 'insufficient_quota' &&
  error.headers['x-should-retry'] === 'false' &&
  error.message.startsWith('You exceeded your current quota, please check your plan and billing details. ')

test('a row holds what was used and what it costs', async () => {
  const ledger = await world.open()
  const held = now(
    ledger.reserve(intent(() => assert.fail('nobody’s money is limited'), { endUser: 'anna', batch: true })),
  )
  assert.equal(held.outputMax, null)
  const { reading, ...rest } = outcome(10, 3, 'ok', 4)
  reading.quantity({ unit: 'images', amount: 2, variant: '1024x1024 hd' })
  assert.equal(held.settle({ reading, ...rest }), undefined)
  const [row, ...others] = await world.rows()
  assert.equal(others.length, 0)
  assert.match(row?.id ?? '', /^use_[0-9a-z]{9}[0-9A-Za-z]{10}[0-9a-z]+$/)
  assert.deepEqual(
    { ...row, id: '' },
    {
      id: '',
      organization_id: 'org-1',
      project_id: 'proj_1',
      key_id: 'key_1',
      user_id: 'user-1',
      operation: 'chat.completions.create',
      model: 'words',
      requested_model: 'gpt-4',
      end_user: 'anna',
      input_tokens: 10,
      cached_tokens: 4,
      output_tokens: 3,
      requests: 1,
      quantity: 2,
      unit: 'images',
      variant: '1024x1024 hd',
      batch: 1,
      cost_nano: (6 * 1000 + 4 * 500 + 3 * 2000) / 2, // as a line of a batch
      reserved_nano: 0,
      status: 'ok',
      duration_ms: 12,
      created_at: november20,
    },
  )
})

test('lines of batches cost less by what the settings say, and are held for as much less', async () => {
  const rows: [batch: boolean, batchDiscount: number | undefined, costNano: number][] = [
    [false, undefined, 16_000],
    [true, undefined, 8000],
    [true, 0.25, 12_000],
    [true, 0, 16_000],
    [true, 1, 0],
    [false, 1, 16_000],
  ]
  for (const [batch, batchDiscount, costNano] of rows) {
    await world.empty()
    await world.limit({ subject: 'organization', hard: costNano })
    const ledger = await world.open(batchDiscount === undefined ? {} : { batchDiscount })
    const held = await ledger.reserve(intent(worst(10, 3), { batch }))
    assert.equal(held.outputMax, null, JSON.stringify([batch, batchDiscount]))
    held.settle(outcome(10, 3))
    const [row] = await world.rows()
    assert.deepEqual([row?.batch, row?.cost_nano], [batch ? 1 : 0, costNano])
  }
})

test('a reply that was there already needs no money, and its row is marked', async () => {
  await world.limit({ subject: 'organization', hard: 0 })
  const ledger = await world.open()
  assert.throws(() => ledger.reserve(intent(worst(10, 3))), refused)
  const repeat = { isRepeat: true, endUser: 'anna' }
  const held = now(ledger.reserve(intent(() => assert.fail('nothing is spent'), repeat)))
  assert.equal(held.outputMax, null)
  held.settle(outcome(0, 0))
  const [row, ...others] = await world.rows()
  assert.equal(others.length, 0)
  assert.deepEqual(
    [row?.variant, row?.unit, row?.requests, row?.end_user, row?.input_tokens, row?.cost_nano, row?.status],
    ['cached reply', null, 1, 'anna', 0, 0, 'ok'],
  )
})

test('the second settlement of a request throws and changes nothing', async () => {
  const ledger = await world.open()
  const held = now(ledger.reserve(intent(worst(1, 1))))
  held.settle(outcome(1, 1))
  assert.throws(() => held.settle(outcome(5, 5)), /settled twice/)
  assert.equal((await world.rows()).length, 1)
  assert.equal(await ledger.settled(0), 0)
})

for (const { subject, id } of [
  { subject: 'organization', id: 'org-1' },
  { subject: 'project', id: 'proj_1' },
  { subject: 'key', id: 'key_1' },
  { subject: 'end_user', id: 'anna' },
] as const)
  test(`a budget of the ${subject} for exactly ten requests serves exactly ten`, async () => {
    await world.limit({ subject, id, hard: 10 * 20_000 })
    const ledger = await world.open()
    const asked = intent(worst(10, 5), { endUser: 'anna' })
    if (subject === 'end_user') (await ledger.reserve(asked)).settle(outcome(0, 0, 'failed')) // looks the person up
    for (let i = 0; i < 10; i++) serve(ledger, asked)
    assert.throws(() => ledger.reserve(asked), refused)
    assert.deepEqual(ledger.standing('org-1', subject, id), { limitNano: 200_000, spentNano: 200_000, heldNano: 0 })
    const others = {
      organization: testCaller({ organizationId: 'org-2' }),
      project: testCaller({ projectId: 'proj_2' }),
      key: testCaller({ keyId: 'key_2' }),
      end_user: testCaller(),
    }
    const elsewhere = () => assert.fail('nobody’s money is limited there')
    serve(
      ledger,
      intent(elsewhere, { caller: others[subject], endUser: subject === 'end_user' ? 'bert' : 'anna' }),
      1,
      1,
    )
  })

test('when the rest is smaller than the worst case, the output is lowered and not the request refused', async () => {
  await world.limit({ subject: 'project', id: 'proj_1', hard: 50_000 })
  const ledger = await world.open()
  const first = now(ledger.reserve(intent(worst(10, 15))))
  assert.equal(first.outputMax, null)
  assert.equal(ledger.standing('org-1', 'project', 'proj_1')?.heldNano, 40_000)
  const second = ledger.reserve.bind(ledger, intent(worst(5, 100)))
  const clamped = now(second())
  assert.equal(clamped.outputMax, 2, '10,000 are left: 5,000 for the input and two tokens')
  assert.throws(second, refused)
  first.settle(outcome(10, 0))
  clamped.settle(outcome(5, 2))
  assert.equal(now(second()).outputMax, 13, '31,000 are left')
})

test('the narrowest of all limits decides, and everybody’s account is booked', async () => {
  await world.limit({ subject: 'organization', hard: 1_000_000 })
  await world.limit({ subject: 'project', id: 'proj_1', hard: 30_000 })
  await world.limit({ subject: 'key', id: 'key_1', soft: 1 })
  const ledger = await world.open()
  const held = now(ledger.reserve(intent(worst(10, 100))))
  assert.equal(held.outputMax, 10)
  assert.deepEqual(ledger.standing('org-1', 'organization', 'org-1'), {
    limitNano: 1_000_000,
    spentNano: 0,
    heldNano: 30_000,
  })
  held.settle(outcome(10, 3, 'cancelled'))
  for (const [subject, id] of [
    ['organization', 'org-1'],
    ['project', 'proj_1'],
    ['key', 'key_1'],
  ] as const) {
    const standing = ledger.standing('org-1', subject, id)
    assert.deepEqual([standing?.spentNano, standing?.heldNano], [16_000, 0], subject)
  }
})

test('a refusal says whose limit it is, what is left and what to do', async () => {
  await world.limit({ subject: 'key', id: 'key_1', hard: 3000 })
  const ledger = await world.open()
  assert.throws(() => ledger.reserve(intent(worst(2, 5))), {
    message:
      "You exceeded your current quota, please check your plan and billing details. This request may cost $0.000004 or more, and $0.000003 is left of the monthly limit of the key 'key_1'. It begins anew on 2026-12-01; an owner raises it with `parlance limits`.",
  })
  assert.throws(() => ledger.reserve(intent(worst(4, 0), { operation: 'images.create' })), {
    status: 400,
    code: 'billing_hard_limit_reached',
  })
})

test('the input is counted only where its upper bound does not fit, and what is left is looked at again afterwards', async () => {
  await world.limit({ subject: 'organization', hard: 30_000 })
  const ledger = await world.open()
  let counts = 0
  const counting = Promise.withResolvers<number>()
  const asked = (bound: number) =>
    intent(
      worst(bound, 5, {
        count() {
          counts++
          return counting.promise
        },
      }),
    )
  serve(ledger, asked(20), 4, 1)
  assert.equal(counts, 0)
  const reserving = ledger.reserve(asked(100))
  assert.ok(reserving instanceof Promise)
  const meanwhile = now(ledger.reserve(intent(worst(4, 5))))
  counting.resolve(4)
  const held = await reserving
  assert.equal(counts, 1)
  assert.equal(held.outputMax, 3, '24,000 were left, 14,000 were taken meanwhile')
  meanwhile.settle(outcome(4, 5))
  held.settle(outcome(4, 3))
  assert.throws(() => ledger.reserve(asked(1)), refused)
  assert.equal(counts, 1, 'where nothing can fit, nothing is counted')
})

test('whoever leaves while the input is counted holds nothing', async () => {
  await world.limit({ subject: 'organization', hard: 30_000 })
  const ledger = await world.open()
  const gone = new Error('gone')
  await assert.rejects(async () => ledger.reserve(intent(worst(100, 5, { count: () => Promise.reject(gone) }))), gone)
  assert.equal(ledger.standing('org-1', 'organization', 'org-1')?.heldNano, 0)
  assert.equal(await ledger.settled(0), 0)
})

test('`*` is the limit of every end user by themselves, and an own row comes before it', async () => {
  await world.limit({ subject: 'end_user', id: '*', hard: 30_000 })
  await world.limit({ subject: 'end_user', id: 'rich', hard: 1_000_000 })
  const before = await world.open()
  const asked = (endUser: string | null) => intent(worst(10, 5), { endUser })
  for (const name of ['anna', 'bert', 'rich', '*']) (await before.reserve(asked(name))).settle(outcome(10, 0))
  for (const name of ['anna', 'bert', '*']) now(before.reserve(asked(name))).settle(outcome(0, 0, 'failed'))
  await world.rows()

  const ledger = await world.open({ reconcile: false }) // has to read what was spent
  const [anna, rich, nobody] = [
    await ledger.reserve(asked('anna')),
    await ledger.reserve(asked('rich')),
    ledger.reserve(asked(null)),
  ]
  assert.deepEqual([anna.outputMax, rich.outputMax, now(nobody).outputMax], [null, null, null])
  assert.deepEqual(ledger.standing('org-1', 'end_user', 'anna'), {
    limitNano: 30_000,
    spentNano: 10_000,
    heldNano: 20_000,
  })
})

test('credit: what expires first pays, expired grants do not count, and nothing runs without', async () => {
  const day = 86_400_000
  await world.organization('org-1', 1)
  const empty = await world.open()
  assert.throws(() => empty.reserve(intent(worst(1, 1))), refused)
  await world.grant({ id: 'ever', amount: 20_000 })
  await world.grant({ id: 'soon', amount: 15_000, expiresAt: november20 + day })
  await world.grant({ id: 'old', amount: 99_000, expiresAt: november20 - 1 })
  const ledger = await world.open()
  serve(ledger, intent(worst(10, 5))) // 20,000: all of `soon`, and 5,000
  assert.deepEqual(ledger.standing('org-1', 'credit', 'org-1'), { limitNano: 35_000, spentNano: 20_000, heldNano: 0 })
  assert.deepEqual(await world.used(), { soon: 15_000, ever: 5000, old: 0 })
  await world.grant({ id: 'later', amount: 5000, expiresAt: november20 + day })
  await ledger.changed()
  world.time.advance(day)
  const held = now(ledger.reserve(intent(worst(10, 5))))
  assert.equal(held.outputMax, 2, 'what expired meanwhile is not there')
  held.settle(outcome(10, 2))
  assert.throws(() => ledger.reserve(intent(worst(1, 1))), refused)
  assert.deepEqual(await world.used(), { soon: 15_000, ever: 19_000, old: 0, later: 0 })
})

test('credit that is switched off is neither needed nor taken', async () => {
  await world.organization('org-1', 1)
  await world.grant({ id: 'a', amount: 20_000 })
  const ledger = await world.open()
  const held = now(ledger.reserve(intent(worst(10, 5))))
  await world.organization('org-1', 0)
  await ledger.changed()
  held.settle(outcome(10, 5))
  serve(
    ledger,
    intent(() => assert.fail('nothing is limited')),
    1,
    1,
  )
  assert.equal(ledger.standing('org-1', 'credit', 'org-1'), undefined)
  await world.organization('org-1', 1)
  await ledger.changed()
  assert.deepEqual(ledger.standing('org-1', 'credit', 'org-1'), { limitNano: 20_000, spentNano: 0, heldNano: 0 })
  assert.deepEqual(await world.used(), { a: 0 })
})

test('what failed before anything was spent costs nothing and has its row; what was cut off is billed as far as it came', async () => {
  await world.limit({ subject: 'organization', hard: 100_000 })
  const ledger = await world.open()
  now(ledger.reserve(intent(worst(10, 5)))).settle(outcome(0, 0, 'failed'))
  now(ledger.reserve(intent(worst(10, 5)))).settle(outcome(10, 2, 'cancelled'))
  now(ledger.reserve(intent(worst(10, 5)))).settle(outcome(10, 1, 'failed'))
  const rows = await world.rows()
  assert.deepEqual(
    rows.map(row => [row.status, row.requests, row.cost_nano, row.reserved_nano]),
    [
      ['failed', 1, 0, 20_000],
      ['cancelled', 1, 14_000, 20_000],
      ['failed', 1, 12_000, 20_000],
    ],
  )
  assert.deepEqual(ledger.standing('org-1', 'organization', 'org-1'), {
    limitNano: 100_000,
    spentNano: 26_000,
    heldNano: 0,
  })
})

test('an upstream that generates more than it was asked for is booked as it was', async () => {
  await world.limit({ subject: 'organization', hard: 20_000 })
  const ledger = await world.open()
  now(ledger.reserve(intent(worst(10, 5)))).settle(outcome(10, 50))
  assert.equal(ledger.standing('org-1', 'organization', 'org-1')?.spentNano, 110_000)
  assert.equal((await world.rows())[0]?.cost_nano, 110_000)
  assert.throws(() => ledger.reserve(intent(worst(1, 1))), refused)
})

test('a model that costs nothing is served also when nothing is left', async () => {
  await world.limit({ subject: 'organization', hard: 0 })
  const ledger = await world.open()
  const { target } = intent(worst(1, 1))
  const free = { ...target, price: { inputPico: 0, cachedInputPico: 0, outputPico: 0 } }
  assert.equal(now(ledger.reserve(intent(worst(10, 5), { target: free }))).outputMax, null)
  assert.throws(() => ledger.reserve(intent(worst(10, 5))), refused)
})

test('a month ends: what was spent in it does not count any more, and who is running counts where they end', async () => {
  await world.limit({ subject: 'organization', hard: 40_000 })
  const ledger = await world.open()
  world.time.advance(Date.UTC(2026, 10, 30, 23, 59, 59, 999) - november20)
  serve(ledger, intent(worst(10, 5)))
  const running = now(ledger.reserve(intent(worst(10, 5))))
  assert.throws(() => ledger.reserve(intent(worst(10, 5))), refused)
  world.time.advance(1)
  assert.deepEqual(ledger.standing('org-1', 'organization', 'org-1'), {
    limitNano: 40_000,
    spentNano: 0,
    heldNano: 20_000,
  })
  running.settle(outcome(10, 5))
  assert.equal(ledger.standing('org-1', 'organization', 'org-1')?.spentNano, 20_000)
  serve(ledger, intent(worst(10, 5)))
  assert.throws(() => ledger.reserve(intent(worst(10, 5))), refused)
  await world.rows()
  const again = await world.open()
  assert.equal(again.standing('org-1', 'organization', 'org-1')?.spentNano, 40_000, 'the database says the same')
})

test('a model without a price cannot be called; zero is a price', async () => {
  const ledger = await world.open()
  const { target } = intent(worst(1, 1))
  const unpriced = Object.defineProperty({ ...target }, 'price', { value: null })
  assert.throws(() => ledger.reserve(intent(worst(1, 1), { target: unpriced })), {
    status: 403,
    code: 'model_not_priced',
    message: /^The model `words` has no price.*zero is a price/,
  })
  assert.equal(await ledger.settled(0), 0)
})

test('what a request costs is what its price said when it started', async () => {
  const ledger = await world.open()
  const target = { ...intent(worst(1, 1)).target }
  const held = now(ledger.reserve(intent(worst(10, 5), { target })))
  Object.defineProperty(target, 'price', { value: null })
  held.settle(outcome(10, 5))
  assert.equal((await world.rows())[0]?.cost_nano, 20_000)
})

test('the end waits for requests that are still counting, and says how many never came', async () => {
  const ledger = await world.open()
  assert.equal(await ledger.settled(0), 0)
  const [one, two] = [now(ledger.reserve(intent(worst(1, 1)))), now(ledger.reserve(intent(worst(1, 1))))]
  const ends = [ledger.settled(60_000), ledger.settled(60_000)]
  one.settle(outcome(1, 1))
  two.settle(outcome(1, 1))
  assert.deepEqual(await Promise.all(ends), [0, 0])
  now(ledger.reserve(intent(worst(1, 1))))
  assert.equal(await ledger.settled(1), 1)
})
