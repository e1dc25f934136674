import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { makeLimits } from '../../../platform/limits/index.ts'
import { Till, type Who } from '../../till.fixture.ts'

const till = new Till()
before(() => till.open())
after(() => till.close())
beforeEach(() => till.forget())

const root = '/v1/organization'
const monthly = { currency: 'USD', interval: 'month' }
const missing = (who: Who, method: string, path: string, body?: unknown) =>
  till.ask(who, method, path, { body }).then(({ status, body }) => [status, body.error.message])

describe('spend limits', () => {
  const places = (): [string, string][] => [
    [`${root}/spend_limit`, 'organization'],
    [`${root}/projects/${till.a.second}/spend_limit`, 'project'],
  ]

  test('are set, replaced, read and removed, and everybody who counts is told', async () => {
    for (const [path, kind] of places()) {
      const limit = (cents: number) => ({
        object: `${kind}.spend_limit`,
        threshold_amount: cents,
        ...monthly,
        enforcement: { status: 'inactive' },
      })
      assert.equal((await till.ask('owner', 'GET', path)).status, 404)
      for (const cents of [1, 12_345]) {
        const body = { threshold_amount: cents, ...monthly }
        const { body: reply, told } = await till.ask('admin', 'POST', path, { body })
        assert.deepEqual(reply, limit(cents))
        assert.deepEqual(told, { limits: 1, ledger: 1 })
        assert.deepEqual(await till.does('reader', 'GET', path), limit(cents))
      }
      assert.deepEqual(await till.does('owner', 'DELETE', path), {
        object: `${kind}.spend_limit.deleted`,
        deleted: true,
      })
      assert.equal((await till.ask('owner', 'DELETE', path)).status, 404)
    }
    assert.deepEqual(
      (await till.log()).map(({ type, subject }) => [type, subject]),
      [till.a.organization, till.a.second].flatMap(id => [
        ['spend_limit.updated', id],
        ['spend_limit.updated', id],
        ['spend_limit.deleted', id],
      ]),
    )
  })

  test('say whether they hold anybody back: by what is spent and held in this month', async () => {
    const [[whole], [second]] = places() as [[string, string], [string, string]]
    for (const path of [whole, second])
      await till.does('owner', 'POST', path, { body: { threshold_amount: 100, ...monthly } })
    const state = async (path: string) => (await till.does('owner', 'GET', path)).enforcement.status
    const nowMs = till.clock.now()
    const lastMonth = { created_at: nowMs - 31 * 86_400_000, cost_nano: 5_000_000_000 }
    await till.used(lastMonth, { cost_nano: 600_000_000, project_id: till.a.second })
    await till.used({ cost_nano: 399_999_999 })
    assert.deepEqual([await state(whole), await state(second)], ['inactive', 'inactive'])
    await till.used({ status: 'open', reserved_nano: 1 })
    assert.deepEqual([await state(whole), await state(second)], ['enforcing', 'inactive'])
    await till.used({ cost_nano: 400_000_000, project_id: till.a.second })
    assert.equal(await state(second), 'enforcing')
  })

  test('keep the soft limit that stands beside them', async () => {
    const path = `${root}/spend_limit`
    const soft = { subject: 'organization', soft_limit_usd: 0.5 }
    await till.does('owner', 'POST', `${root}/limits`, { body: soft })
    assert.equal((await till.ask('owner', 'GET', path)).status, 404)
    await till.does('owner', 'POST', path, { body: { threshold_amount: 200, ...monthly } })
    await till.does('owner', 'DELETE', path)
    const { data } = await till.does('owner', 'GET', `${root}/limits`)
    assert.deepEqual([data[0].hard_limit_usd, data[0].soft_limit_usd], [null, 0.5])
  })

  test('are for those who may, and for what is theirs', async () => {
    const body = { threshold_amount: 5, ...monthly }
    for (const [path] of places()) {
      for (const who of ['reader', 'projectKey', 'projectOwner'] as const)
        assert.deepEqual(await till.refuses(who, 'POST', path, { body }), [403, 'missing_scope', null], who)
      assert.equal((await till.ask('projectKey', 'GET', path)).status, 403)
    }
    await till.does('owner', 'POST', `${root}/projects/${till.a.second}/spend_limit`, { body })
    await till.does('projectOwner', 'GET', `${root}/projects/${till.a.second}/spend_limit`)
    const asked = (id: string) => `${root}/projects/${id}/spend_limit`
    for (const method of ['GET', 'POST', 'DELETE']) {
      const [foreign, wrong] = ['proj_none', till.b.project].map(id =>
        missing('owner', method, asked(id), body).then(([status, text]) => [status, String(text).replace(id, '…')]),
      )
      assert.deepEqual(await foreign, await wrong)
      assert.equal((await foreign)?.[0], 404)
    }
  })

  test('that cannot be kept are refused', async () => {
    const rows: [object, [number, string, string]][] = [
      [{ ...monthly }, [400, 'missing_required_parameter', 'threshold_amount']],
      [{ threshold_amount: 0, ...monthly }, [400, 'integer_below_min_value', 'threshold_amount']],
      [{ threshold_amount: 1.5, ...monthly }, [400, 'invalid_type', 'threshold_amount']],
      [{ threshold_amount: 1e12, ...monthly }, [400, 'integer_above_max_value', 'threshold_amount']],
      [{ threshold_amount: 1, ...monthly, currency: 'EUR' }, [400, 'invalid_value', 'currency']],
      [{ threshold_amount: 1, ...monthly, interval: 'day' }, [400, 'invalid_value', 'interval']],
      [{ threshold_amount: 1, ...monthly, organization_id: 'org-2' }, [400, 'unknown_parameter', 'organization_id']],
    ]
    for (const [path] of places())
      for (const [body, expected] of rows)
        assert.deepEqual(await till.refuses('owner', 'POST', path, { body }), expected, JSON.stringify(body))
  })
})

describe('rate limits of a project', () => {
  const path = () => `${root}/projects/${till.a.second}/rate_limits`
  const none = 2_147_483_647
  interface Limit {
    id: string
    model: string
    max_requests_per_1_minute: number
    max_tokens_per_1_minute: number
    max_images_per_1_minute?: number
    max_requests_per_1_day?: number
  }
  const all = async (query: object = {}, who: Who = 'owner'): Promise<Limit[]> =>
    (await till.does(who, 'GET', path(), { query: { ...query } })).data

  test('are one for each model, with ids that any client can put into a path', async () => {
    const limits = await all()
    assert.deepEqual(
      limits.map(({ id, model }) => [id, model]),
      [
        ['rl_Kg', '*'],
        ['rl-large', 'large'],
        ['rl_b3JnL29kZDpuYW1l', 'org/odd:name'],
        ['rl-small', 'small'],
      ],
    )
    for (const limit of limits) {
      assert.deepEqual([limit.max_requests_per_1_minute, limit.max_tokens_per_1_minute], [none, none])
      assert.ok(!('max_requests_per_1_day' in limit) && !('max_images_per_1_minute' in limit))
    }
    for (const who of ['reader', 'projectOwner'] as const) assert.equal((await all({}, who)).length, 4)
  })

  test('change field by field, and count for the limiter', async () => {
    const change = async (id: string, body: object) => till.does('owner', 'POST', `${path()}/${id}`, { body })
    const changed = await till.ask('owner', 'POST', `${path()}/rl-small`, { body: { max_requests_per_1_minute: 2 } })
    assert.deepEqual(changed.told, { limits: 1, ledger: 1 })
    await change('rl-small', { max_requests_per_1_day: 9, max_images_per_1_minute: 4 })
    await change('rl_b3JnL29kZDpuYW1l', { max_tokens_per_1_minute: 0 })
    const [, , odd, small] = await all()
    assert.deepEqual(small, {
      ...{ object: 'project.rate_limit', id: 'rl-small', model: 'small' },
      ...{ max_requests_per_1_minute: 2, max_tokens_per_1_minute: none },
      ...{ max_images_per_1_minute: 4, max_requests_per_1_day: 9 },
    })
    assert.equal(odd?.max_tokens_per_1_minute, 0)
    assert.equal((await change('rl-small', { max_requests_per_1_day: none })).max_requests_per_1_day, undefined)
    assert.deepEqual((await till.log())[0], {
      ...{ type: 'rate_limit.updated', subject: 'rl-small' },
      details: { changes_requested: { max_requests_per_1_minute: 2 } },
    })
    const limits = await makeLimits(till.services)
    const caller = { ...till.caller('owner'), projectId: till.a.second }
    const ask = () => limits.admit(caller, 'small', () => ({ tokens: 1, images: 0 }))
    assert.ok(ask())
    assert.ok(ask())
    assert.throws(ask, { status: 429 })
    limits.close()
  })

  test('of a model begin as those of every model, and free it from them', async () => {
    const set = (id: string, body: object) => till.does('owner', 'POST', `${path()}/${id}`, { body })
    await set('rl_Kg', { max_requests_per_1_minute: 5, max_tokens_per_1_minute: 50 })
    assert.deepEqual(
      (await all()).map(limit => limit.max_requests_per_1_minute),
      [5, 5, 5, 5],
    )
    const own = await set('rl-large', { max_tokens_per_1_minute: 70 })
    assert.deepEqual([own.max_requests_per_1_minute, own.max_tokens_per_1_minute], [5, 70])
    await set('rl-large', { max_requests_per_1_minute: none, max_tokens_per_1_minute: none })
    const [, large, odd] = await all()
    assert.deepEqual([large?.max_requests_per_1_minute, odd?.max_requests_per_1_minute], [none, 5])
    const limits = await makeLimits(till.services)
    const caller = { ...till.caller('owner'), projectId: till.a.second }
    for (let count = 0; count < 9; count++) limits.admit(caller, 'large', () => ({ tokens: 100, images: 0 }))
    assert.throws(() => limits.admit(caller, 'small', () => ({ tokens: 100, images: 0 })), { status: 429 })
    limits.close()
  })

  test('are read in pages', async () => {
    const ids = async (query: object) => (await all(query)).map(({ id }) => id)
    const [first, second, third, fourth] = await ids({})
    assert.deepEqual(await ids({ limit: 2 }), [first, second])
    assert.deepEqual(await ids({ limit: 2, after: second }), [third, fourth])
    assert.deepEqual(await ids({ limit: 2, before: fourth }), [second, third])
    assert.deepEqual(await ids({ after: first, before: fourth }), [second, third])
    assert.equal((await till.does('owner', 'GET', path(), { query: { limit: 3 } })).has_more, true)
    assert.equal((await till.does('owner', 'GET', path(), { query: { after: first } })).has_more, false)
    const refused = await till.refuses('owner', 'GET', path(), { query: { after: 'rl-none' } })
    assert.deepEqual(refused, [400, 'invalid_value', 'after'])
  })

  test('that are not there, not theirs or not kept are refused', async () => {
    const body = { max_requests_per_1_minute: 1 }
    assert.equal((await till.ask('owner', 'POST', `${path()}/rl-none`, { body })).status, 404)
    const elsewhere = `${root}/projects/${till.b.project}/rate_limits`
    assert.equal((await till.ask('owner', 'GET', elsewhere)).status, 404)
    assert.equal((await till.ask('owner', 'POST', `${elsewhere}/rl-small`, { body })).status, 404)
    for (const who of ['reader', 'projectOwner', 'projectKey'] as const)
      assert.deepEqual(await till.refuses(who, 'POST', `${path()}/rl-small`, { body }), [403, 'missing_scope', null])
    for (const name of ['max_audio_megabytes_per_1_minute', 'batch_1_day_max_input_tokens', 'organization_id'])
      assert.deepEqual(await till.refuses('owner', 'POST', `${path()}/rl-small`, { body: { [name]: 1 } }), [
        400,
        'unknown_parameter',
        name,
      ])
  })
})

describe('limits of any subject', () => {
  const path = `${root}/limits`
  const set = (body: object, who: Who = 'owner') => till.does(who, 'POST', path, { body })
  const noRates = {
    ...{ requests_per_minute: null, tokens_per_minute: null, requests_per_day: null, tokens_per_day: null },
    ...{ images_per_minute: null, concurrent_requests: null },
  }

  test('are one object each, whatever they limit', async () => {
    const { a } = till
    const made = await till.ask('owner', 'POST', path, {
      body: {
        subject: 'key',
        subject_id: a.key,
        hard_limit_usd: 0.000000001,
        soft_limit_usd: 0,
        rates: [
          { model: '*', requests_per_minute: 5 },
          { model: 'usual', concurrent_requests: 1, tokens_per_day: 7 },
        ],
      },
    })
    assert.deepEqual(made.told, { limits: 1, ledger: 1 })
    const limits = {
      ...{ object: 'organization.limits', id: `key:${a.key}`, subject: 'key', subject_id: a.key },
      ...{ hard_limit_usd: 0.000000001, soft_limit_usd: 0 },
      rates: [
        { model: '*', ...noRates, requests_per_minute: 5 },
        { model: 'small', ...noRates, concurrent_requests: 1, tokens_per_day: 7 },
      ],
    }
    assert.deepEqual(made.body, limits, 'another name of a model means the model')
    assert.deepEqual((await till.does('reader', 'GET', path)).data, [limits])
    assert.deepEqual((await till.log())[0]?.type, 'limits.updated')
  })

  test('that are left out stay, and null takes away', async () => {
    const subject = { subject: 'end_user', subject_id: 'anna: ü' }
    await set({ ...subject, hard_limit_usd: 2 })
    assert.equal((await set({ ...subject, soft_limit_usd: 1 })).hard_limit_usd, 2)
    assert.equal((await set({ ...subject, hard_limit_usd: null })).soft_limit_usd, 1)
    await set({ ...subject, soft_limit_usd: null })
    assert.deepEqual((await till.does('owner', 'GET', path)).data, [])
    const project = { subject: 'project', subject_id: till.a.second }
    await set({
      ...project,
      rates: [
        { model: 'large', tokens_per_day: 1 },
        { model: '*', tokens_per_day: 2 },
      ],
    })
    await set({ ...project, rates: [{ model: '*', requests_per_day: 3 }] })
    assert.deepEqual((await set({ ...project, rates: [{ model: 'large' }] })).rates, [
      { model: '*', ...noRates, requests_per_day: 3 },
    ])
    const before = await till.log()
    await set({ subject: 'organization' })
    assert.deepEqual(await till.log(), before, 'nothing to change is no change')
  })

  test('are listed page by page, of one kind or one subject', async () => {
    await set({ subject: 'organization', hard_limit_usd: 1 })
    await set({ subject: 'project', subject_id: till.a.second, rates: [{ model: '*', requests_per_day: 3 }] })
    for (const user of ['*', 'b', 'a']) await set({ subject: 'end_user', subject_id: user, hard_limit_usd: 1 })
    await set({ subject: 'organization', hard_limit_usd: 1 }, 'ownerB')
    const ids = async (query: Record<string, unknown>) =>
      (await till.does('owner', 'GET', path, { query })).data.map(({ id }: { id: string }) => id)
    const whole = await ids({})
    assert.deepEqual(whole, [
      ...['end_user:*', 'end_user:a', 'end_user:b'],
      ...[`organization:${till.a.organization}`, `project:${till.a.second}`],
    ])
    assert.deepEqual(await ids({ limit: 2 }), whole.slice(0, 2))
    assert.deepEqual(await ids({ limit: 2, after: whole[1] }), whole.slice(2, 4))
    assert.deepEqual(await ids({ subject: 'end_user' }), whole.slice(0, 3))
    assert.deepEqual(await ids({ subject: 'end_user', subject_id: 'b' }), ['end_user:b'])
    for (const after of ['end_user:c', 'x', `organization:${till.b.organization}`, 'end_user:\0'])
      assert.deepEqual(await till.refuses('owner', 'GET', path, { query: { after } }), [400, 'invalid_value', 'after'])
  })

  test('are removed together, also when what they limited has gone', async () => {
    const { store } = till
    await set({ subject: 'end_user', subject_id: 'a', hard_limit_usd: 1 })
    await set({
      subject: 'project',
      subject_id: till.a.second,
      hard_limit_usd: 1,
      rates: [{ model: '*', tokens_per_day: 1 }],
    })
    const archived = (archived_at: number | null) =>
      store.write(store.build.updateTable('projects').set({ archived_at }).where('id', '=', till.a.second))
    await archived(1)
    const body = { subject: 'project', subject_id: till.a.second, hard_limit_usd: 2 }
    assert.deepEqual(await till.refuses('owner', 'POST', path, { body }), [400, 'project_archived', null])
    for (const [subject, subject_id] of [
      ['end_user', 'a'],
      ['project', till.a.second],
    ] as const) {
      const query = { subject, subject_id }
      const { body: reply, told } = await till.ask('owner', 'DELETE', path, { query })
      assert.deepEqual(reply, { object: 'organization.limits.deleted', id: `${subject}:${subject_id}`, deleted: true })
      assert.deepEqual(told, { limits: 1, ledger: 1 })
      assert.equal((await till.ask('owner', 'DELETE', path, { query })).status, 404)
    }
    await archived(null)
    assert.deepEqual((await till.does('owner', 'GET', path)).data, [])
  })

  test('of another organisation are as if they were not there', async () => {
    await set({ subject: 'key', subject_id: till.b.key, hard_limit_usd: 1 }, 'ownerB')
    await set({ subject: 'end_user', subject_id: 'anna', hard_limit_usd: 1 }, 'ownerB')
    assert.deepEqual((await till.does('owner', 'GET', path)).data, [])
    const { a, b } = till
    for (const [subject, subject_id] of [
      ['key', b.key],
      ['key', 'key_none'],
      ['project', b.project],
      ['organization', 'org-none'],
      ['key', "x' or 1=1"],
    ]) {
      const body = { subject, subject_id, hard_limit_usd: 9 }
      assert.equal((await till.ask('owner', 'POST', path, { body })).status, 404, subject_id)
      assert.equal((await till.ask('owner', 'DELETE', path, { query: { subject, subject_id } })).status, 404)
    }
    const foreign = { subject: 'organization', subject_id: a.organization }
    assert.equal((await till.ask('ownerB', 'POST', path, { body: { ...foreign, hard_limit_usd: 9 } })).status, 404)
    assert.equal((await till.ask('ownerB', 'DELETE', path, { query: foreign })).status, 404)
    await set({ subject: 'end_user', subject_id: 'anna', hard_limit_usd: 3 })
    const [theirs] = (await till.does('ownerB', 'GET', path, { query: { subject: 'end_user' } })).data
    assert.equal(theirs.hard_limit_usd, 1, 'end users of the same name are different people')
    for (const who of ['reader', 'projectOwner', 'projectKey'] as const) {
      const body = { subject: 'key', subject_id: a.key, hard_limit_usd: 9 }
      assert.deepEqual(await till.refuses(who, 'POST', path, { body }), [403, 'missing_scope', null])
    }
  })

  test('of how fast a whole organisation may ask are the word of the operator alone', async () => {
    const { a, b } = till
    const rates = [{ model: '*', requests_per_minute: 5 }]
    const theirs = { subject: 'organization', subject_id: b.organization }
    assert.deepEqual((await set({ ...theirs, rates })).rates, [{ model: '*', ...noRates, requests_per_minute: 5 }])
    assert.equal((await set({ subject: 'organization', rates }, 'operator')).subject_id, a.organization)
    for (const organization of [a.organization, b.organization])
      assert.ok(
        (await till.log(organization)).some(
          ({ type, subject }) => type === 'limits.updated' && subject === b.organization,
        ),
      )
    const [limits] = (await till.does('ownerB', 'GET', path)).data
    assert.equal(limits.rates[0].requests_per_minute, 5)
    const body = { subject: 'organization', rates: [{ model: '*' }] }
    assert.deepEqual(await till.refuses('ownerB', 'POST', path, { body }), [403, 'operator_only', null])
    const query = { subject: 'organization' }
    assert.deepEqual(await till.refuses('ownerB', 'DELETE', path, { query }), [403, 'operator_only', null])
    await set({ subject: 'organization', hard_limit_usd: 3 }, 'ownerB')
    await set({ subject: 'key', subject_id: b.key, rates }, 'ownerB')
    await till.does('owner', 'DELETE', path, { query: theirs })
    assert.deepEqual(
      (await till.does('ownerB', 'GET', path)).data.map(({ subject }: { subject: string }) => subject),
      ['key'],
    )
  })

  test('that cannot be kept are refused', async () => {
    const key = { subject: 'key', subject_id: till.a.key }
    const rows: [object, [number, string, string | null]][] = [
      [{ hard_limit_usd: 1 }, [400, 'missing_required_parameter', 'subject']],
      [{ subject: 'key', hard_limit_usd: 1 }, [400, 'missing_required_parameter', 'subject_id']],
      [{ subject: 'team', subject_id: 'a' }, [400, 'invalid_value', 'subject']],
      [{ ...key, hard_limit_usd: -1 }, [400, 'decimal_below_min_value', 'hard_limit_usd']],
      [{ ...key, hard_limit_usd: 9_000_001 }, [400, 'decimal_above_max_value', 'hard_limit_usd']],
      [{ ...key, soft_limit_usd: 0.0000000001 }, [400, 'invalid_value', 'soft_limit_usd']],
      [{ ...key, rates: [{ model: 'none', tokens_per_day: 1 }] }, [404, 'model_not_found', null]],
      [{ ...key, rates: [{ tokens_per_day: 1 }] }, [400, 'missing_required_parameter', 'rates[0].model']],
      [{ ...key, rates: [{ model: '*', tokens: 1 }] }, [400, 'unknown_parameter', 'rates[0].tokens']],
      [
        { ...key, rates: [{ model: '*', tokens_per_day: -1 }] },
        [400, 'integer_below_min_value', 'rates[0].tokens_per_day'],
      ],
      [
        { subject: 'end_user', subject_id: 'a', rates: [{ model: '*', tokens_per_day: 1 }] },
        [400, 'invalid_value', 'rates'],
      ],
      [{ subject: 'end_user', subject_id: 'a\0b', hard_limit_usd: 1 }, [400, 'invalid_value', 'subject_id']],
      [{ ...key, updated_at: 1 }, [400, 'unknown_parameter', 'updated_at']],
    ]
    for (const [body, expected] of rows)
      assert.deepEqual(await till.refuses('owner', 'POST', path, { body }), expected, JSON.stringify(body))
  })
})
