import { test } from 'node:test'
import { fuzz } from './run.ts'

/** Set to repeat a run, or to look further. */
const seed = Number(process.env.PARLANCE_FUZZ_SEED ?? 20_230_614)

test('10,000 mutated requests are answered within the API’s manners', { timeout: 300_000 }, t =>
  fuzz(t, { seed, count: 10_000 }),
)
