import { test } from 'node:test'
import { killAndRecount } from './crash.fixture.ts'

for (const mode of ['strict', 'grouped'] as const)
  test(`${mode}: after 30 kills nothing is open, the limit held, and what was acknowledged is booked`, async () => {
    for (let seed = 1; seed <= 3; seed++) await killAndRecount(mode, { kills: 10, seed: 100 + seed })
  })
