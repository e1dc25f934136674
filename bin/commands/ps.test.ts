import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadedModel } from '../../src/wire/models.ts'
import { shown } from './ps.ts'

const nowMs = 1_700_000_000_000
const seconds = nowMs / 1000
const ready: LoadedModel = {
  id: 'model',
  object: 'parlance.loaded_model',
  state: 'ready',
  size_bytes: 4_700_000_000,
  estimated_bytes: 4_800_000_000,
  loaded_at: seconds - 59,
  last_used_at: seconds,
  expires_at: seconds + 600,
  running: 0,
  queued: 0,
}

for (const [name, more, row] of [
  ['idle for a while', {}, 'ready 4.7 GB 59 s ago in 10 min 0 0'],
  ['here for ever', { expires_at: null, loaded_at: seconds - 86_400 }, 'ready 4.7 GB 1 d ago for ever 0 0'],
  ['busy', { expires_at: null, running: 3, loaded_at: seconds - 3599 }, 'ready 4.7 GB 59 min ago busy 3 0'],
  ['about to go', { expires_at: seconds - 1, loaded_at: seconds - 7200 }, 'ready 4.7 GB 2 h ago in 0 s 0 0'],
  ['loading', { state: 'loading', size_bytes: 0, loaded_at: null, expires_at: null, queued: 2 }, 'loading 0 2'],
  ['broken', { state: 'failed', size_bytes: 0, loaded_at: null, expires_at: null }, 'failed 0 0'],
] as const)
  test(`a model that is ${name} has its line`, () => {
    const [heading, line] = shown([{ ...ready, ...more }], nowMs).split('\n')
    assert.match(heading ?? '', /^NAME +STATE +SIZE +LOADED +UNTIL +RUNNING +QUEUED$/)
    assert.equal(line?.replaceAll(/ +/g, ' '), `model ${row}`)
  })

test('without models there is a heading', () => assert.equal(shown([], nowMs).split('\n').length, 2))
