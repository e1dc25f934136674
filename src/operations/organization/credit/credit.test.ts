import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { startingGrant } from '../../../platform/credit/starting.ts'
import { Till, type Who } from '../../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const root = '/v1/organization/credit'
const dayMs = 86_400_000
const grant = (body: object, who: Who = 'owner') => till.does(who, 'POST', `${root}/grants`, { body })
const credit = (who: Who = 'owner', query: Record<string, unknown> = {}) => till.does(who, 'GET', root, { query })
const newCodes = async (body: object): Promise<{ id: string; code: string; hint: string }[]> =>
  (await till.does('owner', 'POST', `${root}/codes`, { body })).data
const redeem = (code: string, who: Who = 'owner') => till.ask(who, 'POST', `${root}/redeem`, { body: { code } })

test('without credit there is none, and none is needed', async () => {
  assert.deepEqual(await credit(), {
    ...{ object: 'organization.credit', organization_id: till.a.organization, enabled: false },
    ...{ balance_usd: 0, granted_usd: 0, used_usd: 0, grants: [] },
  })
})

test('the balance is what is left of the grants that have not ended, soonest first', async () => {
  const { store, clock } = till
  const lasting = await grant({ amount_usd: 5 })
  const short = await grant({ amount_usd: 0.000000001, kind: 'top_up', valid_days: 1, note: 'Thanks' })
  const longer = await grant({ amount_usd: 2, valid_days: 2 })
  assert.deepEqual(short, {
    ...{ object: 'organization.credit.grant', id: short.id, kind: 'top_up', amount_usd: 0.000000001, used_usd: 0 },
    ...{ note: 'Thanks', created_at: Math.floor(clock.now() / 1000) },
    expires_at: Math.floor((clock.now() + dayMs) / 1000),
  })
  const spend = (id: string, used_nano: number) =>
    store.write(store.build.updateTable('credit_grants').set({ used_nano }).where('id', '=', id))
  await spend(lasting.id, 1_500_000_000)
  const now = await credit('reader')
  assert.deepEqual([now.balance_usd, now.granted_usd, now.used_usd], [5.500000001, 7.000000001, 1.5])
  assert.deepEqual(
    now.grants.map(({ id }: { id: string }) => id),
    [short.id, longer.id, lasting.id],
  )
  await spend(longer.id, 2_100_000_000) // overdrawn by requests that ran at once
  clock.advance(dayMs)
  const later = await credit()
  assert.deepEqual([later.balance_usd, later.granted_usd, later.used_usd], [3.5, 7.000000001, 3.6])
  const { data, has_more } = await till.does('owner', 'GET', `${root}/grants`, { query: { limit: 2, order: 'asc' } })
  assert.deepEqual([data.length, has_more], [2, true])
  assert.equal((await till.does('owner', 'GET', `${root}/grants`)).data.length, 3)
})

test('each change is told to the ledger, and stands in the log', async () => {
  const asked: [string, object][] = [
    [root, { enabled: true }],
    [`${root}/grants`, { amount_usd: 1 }],
  ]
  for (const [path, body] of asked)
    assert.deepEqual((await till.ask('operator', 'POST', path, { body })).told, { limits: 0, ledger: 1 })
  assert.equal((await credit()).enabled, true)
  await till.does('owner', 'POST', root, { body: { enabled: false } })
  assert.equal((await credit()).enabled, false)
  assert.deepEqual(
    (await till.log()).map(({ type, details }) => [type, details.changes_requested ?? details.data?.amount_usd]),
    [
      ['credit.updated', { enabled: true }],
      ['credit.grant.created', 1],
      ['credit.updated', { enabled: false }],
    ],
  )
})

test('only the operator makes credit out of nothing, or lets anybody spend without', async () => {
  const asked: [string, string, object][] = [
    ['POST', root, { enabled: false }],
    ['POST', `${root}/grants`, { amount_usd: 5 }],
    ['POST', `${root}/codes`, { amount_usd: 5 }],
    ['GET', `${root}/codes`, {}],
    ['DELETE', `${root}/codes/code_1`, {}],
  ]
  for (const [method, path, body] of asked) {
    assert.deepEqual(await till.refuses('ownerB', method, path, { body }), [403, 'operator_only', null], path)
    for (const who of ['reader', 'projectKey', 'projectOwner'] as const)
      assert.deepEqual(await till.refuses(who, method, path, { body }), [403, 'missing_scope', null], `${who} ${path}`)
  }
  for (const who of ['owner', 'admin', 'operator'] as const) await grant({ amount_usd: 1 }, who)
})

test('the operator gives to other organisations; both logs tell it, and nobody else sees it', async () => {
  const { a, b } = till
  await till.does('operator', 'POST', root, { body: { enabled: true, organization_id: b.organization } })
  await grant({ amount_usd: 3, organization_id: b.organization })
  const theirs = await credit('ownerB')
  assert.deepEqual([theirs.enabled, theirs.balance_usd], [true, 3])
  assert.deepEqual(await credit('owner', { organization_id: b.organization }), theirs)
  assert.deepEqual([(await credit()).enabled, (await credit()).balance_usd], [false, 0])
  for (const organization of [a.organization, b.organization])
    assert.deepEqual(
      (await till.log(organization)).map(({ type, details }) => [type, details.organization_id]),
      [
        ['credit.updated', b.organization],
        ['credit.grant.created', b.organization],
      ],
    )
  const query = (id: string) => ({ query: { organization_id: id } })
  for (const path of [root, `${root}/grants`]) {
    const [foreign, none] = [
      await till.ask('ownerB', 'GET', path, query(a.organization)),
      await till.ask('ownerB', 'GET', path, query('org-none')),
    ]
    assert.equal(foreign.status, 404)
    assert.equal(foreign.body.error.message.replace(a.organization, 'org-none'), none.body.error.message)
  }
  assert.equal(
    (await till.ask('owner', 'POST', `${root}/grants`, { body: { amount_usd: 1, organization_id: 'org-none' } }))
      .status,
    404,
  )
  const { data } = await till.does('owner', 'GET', `${root}/grants`, query(b.organization))
  const refused = await till.refuses('owner', 'GET', `${root}/grants`, { query: { after: data[0].id } })
  assert.deepEqual(refused, [400, 'invalid_value', 'after'], 'a cursor of another organisation')
})

test('a code is shown once, and kept as a hash', async () => {
  const made = await newCodes({ amount_usd: 2, count: 3, valid_days: 30, expires_in_days: 7 })
  assert.equal(new Set(made.map(({ code }) => code)).size, 3)
  for (const { code, hint } of made) {
    assert.match(code, /^credit-\w{32}$/)
    assert.ok(hint.length < 15)
  }
  const { data } = await till.does('owner', 'GET', `${root}/codes`)
  assert.deepEqual(data.map(({ id }: { id: string }) => id).sort(), made.map(({ id }) => id).sort())
  const kept = JSON.stringify([
    data,
    await till.store.read.selectFrom('credit_codes').selectAll().execute(),
    await till.log(),
  ])
  for (const { code } of made) assert.ok(!kept.includes(code))
  assert.equal(data[0].expires_at, Math.floor((till.clock.now() + 7 * dayMs) / 1000))
})

test('a code gives its credit once, to whoever is first', async () => {
  const [made] = await newCodes({ amount_usd: 2, valid_days: 30 })
  const tries = await Promise.all(Array.from({ length: 8 }, () => redeemUnchecked(made!.code)))
  assert.deepEqual(tries.filter(status => status === 200).length, 1)
  assert.deepEqual(
    tries.filter(status => status !== 200),
    Array(7).fill('invalid_code'),
  )
  const { balance_usd, grants } = await credit()
  assert.equal(balance_usd, 2)
  assert.deepEqual([grants[0].kind, grants[0].expires_at], ['code', Math.floor((till.clock.now() + 30 * dayMs) / 1000)])
  assert.equal((await till.log()).filter(({ type }) => type === 'credit.code.redeemed').length, 1)
  const { data } = await till.does('owner', 'GET', `${root}/codes`)
  assert.equal(data[0].organization_id, till.a.organization)
})

/** Several at once: what `ask` compares before and after would be another's. */
async function redeemUnchecked(code: string): Promise<unknown> {
  const { codeOperations } = await import('./codes.ts')
  const { run } = codeOperations.find(({ id }) => id === 'organization.credit.redeem')!
  // biome-ignore lint/suspicious/noExplicitAny: an operation's own context is wider than this one reads
  const context = till.context(till.caller('owner')) as any
  try {
    await run({ body: { code }, params: {}, query: {} }, context)
    return 200
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

test('owners of any organisation redeem codes; the ledger is told', async () => {
  const [first, second] = await newCodes({ amount_usd: 4, count: 2 })
  const { status, told, body } = await redeem(`  ${first!.code} `, 'ownerB')
  assert.deepEqual([status, told, body.amount_usd, body.expires_at], [200, { limits: 0, ledger: 1 }, 4, null])
  assert.equal((await credit('ownerB')).balance_usd, 4)
  assert.equal((await credit()).balance_usd, 0)
  for (const who of ['reader', 'projectKey'] as const)
    assert.deepEqual((await redeem(second!.code, who)).body.error.code, 'missing_scope')
})

test('a code that is unknown, taken, taken back or out of date is refused in the same words', async () => {
  const [taken, withdrawn, old] = await newCodes({ amount_usd: 4, count: 3, expires_in_days: 1 })
  await redeem(taken!.code)
  const path = `${root}/codes/${withdrawn!.id}`
  const deleted = { object: 'organization.credit.code.deleted', id: withdrawn!.id, deleted: true }
  assert.deepEqual(await till.does('owner', 'DELETE', path), deleted)
  assert.equal((await till.ask('owner', 'DELETE', path)).status, 404)
  assert.equal((await till.ask('owner', 'DELETE', `${root}/codes/${taken!.id}`)).status, 404, 'what was given stays')
  till.clock.advance(dayMs)
  const answers = new Set<string>()
  for (const code of ['credit-none', '\0', taken!.code, withdrawn!.code, old!.code]) {
    const { status, body } = await redeem(code, 'ownerB')
    answers.add(JSON.stringify([status, body]))
  }
  assert.equal(answers.size, 1)
  assert.match([...answers][0]!, /^\[400,.*"code":"invalid_code"/)
})

test('amounts and times that are none are refused', async () => {
  const rows: [object, [number, string, string]][] = [
    [{}, [400, 'missing_required_parameter', 'amount_usd']],
    [{ amount_usd: 0 }, [400, 'decimal_below_min_value', 'amount_usd']],
    [{ amount_usd: -5 }, [400, 'decimal_below_min_value', 'amount_usd']],
    [{ amount_usd: 1e9 }, [400, 'decimal_above_max_value', 'amount_usd']],
    [{ amount_usd: 1.0000000001 }, [400, 'invalid_value', 'amount_usd']],
    [{ amount_usd: 1, kind: 'code' }, [400, 'invalid_value', 'kind']],
    [{ amount_usd: 1, valid_days: 0 }, [400, 'integer_below_min_value', 'valid_days']],
    [{ amount_usd: 1, note: 'a\0b' }, [400, 'invalid_value', 'note']],
    [{ amount_usd: 1, used_nano: 0 }, [400, 'unknown_parameter', 'used_nano']],
  ]
  for (const [body, expected] of rows)
    assert.deepEqual(await till.refuses('owner', 'POST', `${root}/grants`, { body }), expected, JSON.stringify(body))
  const many = await till.refuses('owner', 'POST', `${root}/codes`, { body: { amount_usd: 1, count: 101 } })
  assert.deepEqual(many, [400, 'integer_above_max_value', 'count'])
})

test('new organisations begin with credit where the settings say so', async () => {
  const { store, b } = till
  const begin = async (setting: Parameters<typeof startingGrant>[0]) => {
    await till.forget()
    const statements = startingGrant(setting, b.organization, till.services)
    if (statements.length > 0) await store.write(statements)
    return credit('ownerB')
  }
  assert.equal((await begin(undefined)).enabled, false)
  const usual = await begin({})
  assert.deepEqual([usual.enabled, usual.balance_usd], [true, 5])
  const months =
    (new Date(usual.grants[0].expires_at * 1000).getUTCMonth() - new Date(till.clock.now()).getUTCMonth() + 12) % 12
  assert.equal(months, 3)
  assert.equal((await begin({ amount_usd: 0.5, months: 1 })).balance_usd, 0.5)
})
