import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamPool } from '../../engines/upstream/index.ts'
import { heldPools } from './held-pools.ts'

test('a pool is closed with the last of its users, once, and is as new for whoever comes later', async () => {
  const pool = upstreamPool('http://127.0.0.1:9/v1')
  const dropped: unknown[] = []
  const { hold } = heldPools(async one => {
    dropped.push(one)
  })
  const [first, second] = [hold(pool), hold(pool)]
  await first()
  await first()
  assert.deepEqual(dropped, [])
  await second()
  assert.deepEqual(dropped, [pool])
  await hold(pool)()
  assert.deepEqual(dropped, [pool, pool])
  await pool.close()
})
