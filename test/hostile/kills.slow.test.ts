import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchKills } from '../batches/kills.ts'
import { fileKills } from '../files/kills.ts'
import { killRounds } from '../support/kills.ts'
import { keyKills, limitKills } from './kills.ts'

const rounds = Number(process.env.PARLANCE_KILL_ROUNDS ?? 100)
const seed = Number(process.env.PARLANCE_KILL_SEED ?? 19)

test(`${rounds} kills in the middle of uploads, batches, keys and limits: nothing lost, doubled or half written`, {
  timeout: 590_000,
}, async t => {
  const doings = { files: fileKills(), batches: batchKills(), keys: keyKills(), limits: limitKills() }
  const startedMs = performance.now()
  await killRounds({ rounds, seed, doings: Object.values(doings) })
  const counts = Object.entries(doings).map(([name, { count }]) => `${count()} ${name}`)
  t.diagnostic(`${counts.join(', ')} in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
  for (const [name, { count }] of Object.entries(doings)) assert.ok(count() >= rounds / 2, `${count()} ${name}`)
})
