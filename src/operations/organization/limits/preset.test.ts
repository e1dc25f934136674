import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { presetRows } from '../../../platform/limits/presets.ts'
import { Till } from '../../till.fixture.ts'
import { ratesHere } from './preset.ts'

const set = (targets: Record<string, string>) =>
  [...ratesHere(presetRows('tier-1'), new Map(Object.entries(targets))).rates].map(([model, rates]) => [
    model,
    rates.requests_per_minute,
    rates.tokens_per_minute,
    rates.requests_per_day,
  ])

describe('the limits of a tier', () => {
  test('are set for the models that are here, and the others named', () => {
    assert.deepEqual(set({ 'gpt-4': 'gpt-4', mine: 'mine' }), [['gpt-4', 500, 10_000, 10_000]])
    const { missing } = ratesHere(presetRows('free'), new Map([['gpt-3.5-turbo', 'gpt-3.5-turbo']]))
    assert.ok(missing.includes('dall-e-3') && !missing.includes('gpt-3.5-turbo'))
  })

  test('of several names for one model are the strictest, limit by limit', () =>
    assert.deepEqual(set({ 'gpt-4': 'tiny', 'gpt-3.5-turbo': 'tiny', tiny: 'tiny' }), [['tiny', 500, 10_000, 10_000]]))

  test('of a model’s own name win over those of its other names', () =>
    assert.deepEqual(set({ 'gpt-4': 'gpt-4o', 'gpt-4o': 'gpt-4o' }), [['gpt-4o', 500, 30_000, null]]))
})

describe('limits of a subject', () => {
  const till = new Till()
  before(() => till.open())
  after(() => till.close())
  beforeEach(() => till.forget())
  const path = '/v1/organization/limits'

  test('of a tier with none of its models set nothing', async () => {
    const subject = { subject: 'project', subject_id: till.a.second }
    const { body, told } = await till.ask('owner', 'POST', `${path}/preset`, { body: { preset: 'tier-1', ...subject } })
    assert.deepEqual([body.rates, body.not_here.includes('gpt-4'), told.limits], [[], true, 0])
  })

  test('keep what an entry leaves out, if that is asked for', async () => {
    const send = (rates: object, more = {}) =>
      till.does('owner', 'POST', path, {
        body: { subject: 'project', subject_id: till.a.second, rates: [{ model: 'usual', ...rates }], ...more },
      })
    await send({ requests_per_minute: 5 })
    const { rates: merged } = await send({ tokens_per_minute: 7 }, { merge_rates: true })
    assert.deepEqual(
      [merged.length, merged[0].model, merged[0].requests_per_minute, merged[0].tokens_per_minute],
      [1, 'small', 5, 7],
    )
    const { rates: replaced } = await send({ tokens_per_day: 9 })
    assert.deepEqual([replaced[0].requests_per_minute, replaced[0].tokens_per_day], [null, 9])
    assert.deepEqual((await send({})).rates, [])
  })
})
