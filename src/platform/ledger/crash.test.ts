import { test } from 'node:test'
import { killAndRecount } from './crash.fixture.ts'

for (const mode of ['strict', 'grouped'] as const)
  test(`${mode}: after kills nothing is open, the limit held, and what was acknowledged is booked`, () =>
    killAndRecount(mode, { kills: 3, seed: mode === 'strict' ? 1 : 2 }))
