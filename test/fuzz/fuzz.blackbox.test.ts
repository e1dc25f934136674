import { test } from 'node:test'
import { fuzz } from './run.ts'

test('1,000 mutated requests are answered within the API’s manners', { timeout: 60_000 }, t =>
  fuzz(t, { seed: 20_230_301, count: 1000 }),
)
