import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killRounds } from '../support/kills.ts'
import { fileKills } from './kills.ts'

test('20 kills in the middle of uploads lose no file, halve none, leave no orphan', { timeout: 580_000 }, async () => {
  const files = fileKills()
  await killRounds({ rounds: 20, seed: 7, doings: [files] })
  assert.ok(files.count() > 20, `${files.count()} files`)
})
