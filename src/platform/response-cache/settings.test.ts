import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CacheConfig, cacheOptions, type ModelCacheConfig } from './settings.ts'

test('replies are kept for models that say so, or for all that do not say otherwise', () => {
  const rows: [CacheConfig | undefined, ModelCacheConfig | undefined, number | undefined][] = [
    [undefined, undefined, undefined],
    [{}, undefined, undefined],
    [{ ttl_ms: 5 }, undefined, undefined],
    [{ every_model: false }, undefined, undefined],
    [undefined, {}, 300_000],
    [{ ttl_ms: 5 }, {}, 5],
    [{ ttl_ms: 5 }, { ttl_ms: 7 }, 7],
    [{ ttl_ms: 5 }, { enabled: true }, 5],
    [{ every_model: true }, undefined, 300_000],
    [{ every_model: true, ttl_ms: 5 }, undefined, 5],
    [{ every_model: true, ttl_ms: 5 }, { ttl_ms: 7 }, 7],
    [{ every_model: true }, { enabled: false }, undefined],
    [undefined, { enabled: false, ttl_ms: 7 }, undefined],
  ]
  for (const [all, model, expected] of rows)
    assert.equal(cacheOptions(all, () => model).ttlMsOf('words'), expected, JSON.stringify([all, model]))
})

test('bounds have their defaults, and are what is written', () => {
  const { maxBytes, maxEntryBytes } = cacheOptions(undefined, () => undefined)
  assert.deepEqual([maxBytes, maxEntryBytes], [67_108_864, 4_194_304])
  const own = cacheOptions({ max_bytes: 100_000, max_entry_bytes: 2000 }, () => undefined)
  assert.deepEqual([own.maxBytes, own.maxEntryBytes], [100_000, 2000])
})
