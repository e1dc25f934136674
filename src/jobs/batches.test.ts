import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { validateReply } from '../../test/spec/validate.ts'
import { Fault } from '../lib/faults.ts'
import { batchShop, line, linesOf, type OutputLine, url } from './batches.fixture.ts'

let shop: Awaited<ReturnType<typeof batchShop>>
before(async () => {
  shop = await batchShop()
})
after(() => shop.close())

const ids = (lines: OutputLine[]) => lines.map(one => one.custom_id).sort()
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`).sort()
const coded = (status: number, code: string | null) => (error: unknown) =>
  error instanceof Fault && error.status === status && error.code === code

describe('a batch', () => {
  test('answers every request once, in OpenAI’s form, at half the price', async () => {
    const made = await shop.create(linesOf(25), { metadata: { night: 'one' } })
    assert.deepEqual([made.status, made.request_counts.total], ['validating', 0])
    assert.match(made.id, /^batch_[0-9a-f]{32}$/)
    const batch = await shop.until(made.id, 'completed')
    assert.deepEqual(batch.request_counts, { total: 25, completed: 25, failed: 0 })
    assert.deepEqual([batch.model, batch.error_file_id, batch.metadata], ['words', null, { night: 'one' }])
    assert.ok(batch.in_progress_at && batch.finalizing_at && batch.completed_at)
    const output = await shop.read(batch.output_file_id)
    assert.deepEqual(ids(output), numbered(25))
    const [first] = output
    assert.match(first!.id, /^batch_req_/)
    assert.match(first!.response!.request_id, /^req_/)
    assert.deepEqual([first!.response!.status_code, first!.error], [200, null])
    for (const era of ['2024-12-18', '2026-08-21'] as const) {
      assert.deepEqual(validateReply(era, 'GET', `/v1/batches/${batch.id}`, 200, batch), [], era)
      assert.deepEqual(validateReply(era, 'POST', '/v1/embeddings', 200, first!.response!.body), [], era)
      const listed = await shop.call('batches.list', { query: { limit: 3 } })
      assert.deepEqual(validateReply(era, 'GET', '/v1/batches', 200, listed), [], era)
    }
    await shop.store.flush()
    const rows = await shop.store.read.selectFrom('usage').selectAll().where('batch', '=', 1).execute()
    assert.equal(rows.length, 25)
    assert.ok(rows.every(row => row.cost_nano === 500 * row.input_tokens && row.operation === 'embeddings.create'))
  })

  test('tells errors beside replies, each in its file, and tries again what may pass', {
    timeout: 20_000,
  }, async () => {
    const body = (input: string) => ({ model: 'words', input })
    const made = await shop.create([
      line('good'),
      line('bad', body('bad')),
      line('once', body('fail 1')),
      line('wrong', { model: 'words', input: 'x', dimensions: 'many' }),
    ])
    const batch = await shop.until(made.id, 'completed')
    assert.deepEqual(batch.request_counts, { total: 4, completed: 2, failed: 2 })
    assert.deepEqual(ids(await shop.read(batch.output_file_id)), ['good', 'once'])
    const errors = await shop.read(batch.error_file_id)
    assert.deepEqual(ids(errors), ['bad', 'wrong'])
    for (const one of errors) assert.deepEqual([one.response?.status_code, one.error], [400, null])
    assert.equal(errors.find(one => one.custom_id === 'bad')?.response?.body.error?.code, 'invalid_value')
    assert.equal(shop.held.failures.get('fail 1'), 2)
  })

  test('runs as many requests at once as its model takes', async () => {
    shop.held.hold()
    const made = await shop.create(linesOf(30))
    while (shop.held.most() < 2) await turn()
    shop.held.open()
    await shop.until(made.id, 'completed')
    assert.ok(shop.held.most() <= 3)
  })

  test('runs on the file of an Azure client, whose endpoints have no version', async () => {
    const azure = linesOf(2).map(one => one.replace('"/v1/embeddings"', '"/embeddings"'))
    const made = await shop.create(azure, { endpoint: '/embeddings' })
    assert.equal((await shop.until(made.id, 'completed')).endpoint, '/embeddings')
  })

  test('that is cancelled keeps what was answered, and tells the rest', async () => {
    shop.held.hold()
    const before = shop.held.seen.length
    const made = await shop.create(linesOf(10))
    const params = { batch_id: made.id }
    while (shop.held.seen.length <= before) await turn()
    assert.equal((await shop.call('batches.cancel', { params })).status, 'cancelling')
    assert.equal((await shop.call('batches.cancel', { params })).status, 'cancelling')
    await new Promise(resolve => setTimeout(resolve, 100))
    shop.held.open()
    const batch = await shop.until(made.id, 'cancelled')
    const [output, errors] = [await shop.read(batch.output_file_id), await shop.read(batch.error_file_id)]
    assert.deepEqual(ids([...output, ...errors]), numbered(10))
    assert.ok(output.length >= 1 && errors.length > 0)
    assert.ok(errors.every(one => one.response === null && one.error?.code === 'batch_cancelled'))
    assert.deepEqual(batch.request_counts, { total: 10, completed: output.length, failed: errors.length })
    assert.ok(batch.cancelling_at && batch.cancelled_at)
    assert.equal((await shop.call('batches.cancel', { params })).status, 'cancelled')
  })

  test('that has ended cannot be cancelled', async () => {
    const made = await shop.create(linesOf(1))
    await shop.until(made.id, 'completed')
    await assert.rejects(shop.call('batches.cancel', { params: { batch_id: made.id } }), coded(409, 'batch_ended'))
  })

  test('goes on after its worker has ended: each request is in the files once', async () => {
    const made = await shop.create(linesOf(60))
    for (let round = 0; round < 4; round++) {
      shop.held.hold()
      await turn()
      await shop.restart()
      shop.held.open()
    }
    const batch = await shop.until(made.id, 'completed')
    assert.deepEqual(batch.request_counts, { total: 60, completed: 60, failed: 0 })
    assert.deepEqual(ids(await shop.read(batch.output_file_id)), numbered(60))
  })

  test('whose key has ended tells each request so', async () => {
    const { row, secret } = await shop.services.keys.create({ name: 'short' })
    const caller = await shop.services.keys.find(secret)
    shop.held.hold()
    const before = shop.held.seen.length
    const input_file_id = await shop.upload(linesOf(8))
    const body = { input_file_id, endpoint: url, completion_window: '24h' }
    const made = await shop.call('batches.create', { body }, caller)
    while (shop.held.seen.length <= before) await turn()
    await shop.services.keys.revoke(row.id)
    shop.clock.advance(2000)
    shop.held.open()
    const batch = await shop.until(made.id, 'completed')
    const errors = await shop.read(batch.error_file_id)
    assert.ok(errors.length >= 4, `${errors.length}`)
    assert.ok(errors.every(one => one.response?.status_code === 401))
  })

  test('that is not done after a day tells what was not asked, and keeps the rest', async () => {
    shop.held.hold()
    const before = shop.held.seen.length
    const made = await shop.create(linesOf(9))
    while (shop.held.seen.length <= before) await turn()
    shop.clock.advance(86_400_000)
    shop.held.open()
    const batch = await shop.until(made.id, 'expired')
    const [output, errors] = [await shop.read(batch.output_file_id), await shop.read(batch.error_file_id)]
    assert.deepEqual(ids([...output, ...errors]), numbered(9))
    assert.ok(errors.length >= 6 && errors.every(one => one.error?.code === 'batch_expired'))
    assert.ok(batch.expired_at)
  })
})

describe('an input', () => {
  type Expected = [line: number, code: string, param: string | null][]
  const cases: [name: string, lines: string[], expected: Expected][] = [
    ['a custom_id that comes twice', [line('a'), line('b'), line('a')], [[3, 'duplicate_custom_id', 'custom_id']]],
    ['another url', [line('a'), line('b', undefined, { url: '/v1/completions' })], [[2, 'mismatched_url', 'url']]],
    ['another method', [line('a', undefined, { method: 'GET' })], [[1, 'invalid_method', 'method']]],
    ['no body', [line('a', undefined, { body: undefined })], [[1, 'missing_required_parameter', 'body']]],
    [
      'no custom_id',
      [line('a', undefined, { custom_id: undefined })],
      [[1, 'missing_required_parameter', 'custom_id']],
    ],
    ['no model', [line('a', { input: 'a' })], [[1, 'missing_required_parameter', 'body.model']]],
    ['two models', [line('a'), line('b', { model: 'others', input: 'b' })], [[2, 'mismatched_model', 'body.model']]],
    [
      'a model that is not there',
      [line('a', { model: 'nothing', input: 'b' })],
      [[1, 'model_not_found', 'body.model']],
    ],
    ['a stream', [line('a', { model: 'words', input: 'b', stream: true })], [[1, 'unsupported_value', 'body.stream']]],
    [
      'more inputs than there may be',
      ['a', 'b'].map(name => line(name, { model: 'words', input: Array(30_000).fill('a') })),
      [[2, 'too_many_inputs', 'body.input']],
    ],
  ]
  for (const [name, lines, expected] of cases)
    test(`with ${name} fails the batch, and the line is named`, async () => {
      const made = await shop.create(lines)
      await assert.rejects(shop.until(made.id, 'completed'))
      const batch = await shop.get(made.id)
      assert.deepEqual([batch.status, batch.output_file_id, batch.in_progress_at], ['failed', null, null])
      assert.deepEqual(
        batch.errors?.data.map(one => [one.line, one.code, one.param]),
        expected,
      )
      assert.ok(batch.failed_at && batch.errors?.data.every(one => one.message.length > 10))
      assert.deepEqual(validateReply('2026-08-21', 'GET', `/v1/batches/${batch.id}`, 200, batch), [])
    })

  test('that cannot be a batch’s is refused before there is one', async () => {
    const body = { input_file_id: await shop.upload(['{}'], 'user_data'), endpoint: url, completion_window: '24h' }
    const make = (more: object) => shop.call('batches.create', { body: { ...body, ...more } })
    await assert.rejects(make({}), coded(400, 'invalid_file_purpose'))
    await assert.rejects(make({ input_file_id: 'file-nothing' }), coded(404, null))
    await assert.rejects(make({ endpoint: '/v1/edits' }), coded(400, 'invalid_value'))
    await assert.rejects(make({ completion_window: '48h' }), coded(400, 'invalid_value'))
    await assert.rejects(make({ output_expires_after: { anchor: 'created_at', seconds: 3599 } }), Fault)
    await assert.rejects(shop.get('batch_nothing'), coded(404, null))
  })
})
