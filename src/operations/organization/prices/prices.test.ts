import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Till, type Who } from '../../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const path = '/v1/organization/prices'
const set = (body: object, who: Who = 'owner') => till.does(who, 'POST', path, { body })
const remove = (query: Record<string, unknown>) => till.does('owner', 'DELETE', path, { query })
const listed = async (who: Who = 'owner', query: Record<string, unknown> = {}): Promise<unknown[][]> => {
  const { data } = await till.does(who, 'GET', path, { query })
  return data.map((row: Record<string, unknown>) => [row.model, row.effective_at, row.price])
}

test('a price counts from its moment on, and is told to the ledger and the log', async () => {
  const now = Math.floor(till.clock.now() / 1000)
  const told = till.told.ledger
  await set({ model: 'usual', price: { input: 0.15, output: 0.6 } })
  await set({ model: 'small', price: { input: 1 }, effective_at: now + 3600 }, 'operator')
  assert.equal(till.told.ledger, told + 2)
  assert.deepEqual(await listed('reader'), [
    ['small', now, { input: 0.15, output: 0.6 }],
    ['small', now + 3600, { input: 1 }],
  ])
  assert.equal(till.services.prices.of('small')?.inputPico, 150_000)
  till.clock.advance(3_600_000)
  assert.equal(till.services.prices.of('small')?.inputPico, 1_000_000)
  assert.deepEqual(
    (await till.log()).map(({ type, subject, details }) => [type, subject, details.changes_requested.price.input]),
    [
      ['price.updated', 'small', 0.15],
      ['price.updated', 'small', 1],
    ],
  )
})

test('a price by size and quality keeps its names', async () => {
  const price = { image: { any: 0.02, '1024x1024 hd': 0.08 } }
  assert.deepEqual((await set({ model: 'large', price })).price, price)
})

test('prices are taken back one by one, or all of a model', async () => {
  const now = Math.floor(till.clock.now() / 1000)
  for (const [model, after] of [
    ['small', 0],
    ['small', 60],
    ['small', 120],
    ['large', 60],
  ] as const)
    await set({ model, price: { input: 1 }, effective_at: now + after })
  await remove({ model: 'small', effective_at: now + 60 })
  assert.deepEqual(
    (await listed('owner', { model: 'small' })).map(([, at]) => at),
    [now, now + 120],
  )
  await remove({ model: 'small' })
  assert.deepEqual(
    (await listed()).map(([model]) => model),
    ['large'],
  )
  assert.equal((await till.ask('owner', 'DELETE', path, { query: { model: 'small' } })).status, 404)
  assert.equal((await till.log()).filter(({ type }) => type === 'price.deleted').length, 2)
})

test('prices are those of the machine: only its operator sets them', async () => {
  const body = { model: 'small', price: { input: 0 } }
  const query = { model: 'small' }
  await set(body)
  assert.deepEqual(await till.refuses('ownerB', 'POST', path, { body }), [403, 'operator_only', null])
  assert.deepEqual(await till.refuses('ownerB', 'DELETE', path, { query }), [403, 'operator_only', null])
  assert.equal((await listed('ownerB')).length, 1)
  for (const who of ['reader', 'projectKey', 'projectOwner'] as const) {
    assert.deepEqual(await till.refuses(who, 'POST', path, { body }), [403, 'missing_scope', null], who)
    assert.deepEqual(await till.refuses(who, 'DELETE', path, { query }), [403, 'missing_scope', null], who)
  }
})

test('what is no price is refused', async () => {
  const rows: [object, [number, string, string | null]][] = [
    [{ price: { input: 1 } }, [400, 'missing_required_parameter', 'model']],
    [{ model: 'none', price: { input: 1 } }, [404, 'model_not_found', null]],
    [{ model: 'small', price: {} }, [400, 'invalid_value', 'price']],
    [{ model: 'small', price: { output: 1 } }, [400, 'invalid_value', 'price']],
    [{ model: 'small', price: { input: -1 } }, [400, 'decimal_below_min_value', 'price.input']],
    [{ model: 'small', price: { input: 1, outptu: 1 } }, [400, 'unknown_parameter', 'price.outptu']],
    [{ model: 'small', price: { input: 1 }, created_at: 1 }, [400, 'unknown_parameter', 'created_at']],
  ]
  for (const [body, expected] of rows)
    assert.deepEqual(await till.refuses('owner', 'POST', path, { body }), expected, JSON.stringify(body))
})
