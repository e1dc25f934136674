import Type, { type Static } from 'typebox'
import type { ResponseCacheOptions } from './index.ts'

/** How it is written in the settings that replies are kept. */

const ttl = (description: string) => Type.Integer({ minimum: 1, maximum: 2_592_000_000, description })

/** Of a model. */
export const ModelCache = Type.Object(
  {
    enabled: Type.Optional(
      Type.Boolean({
        description: 'Whether its replies serve equal requests. Default: true, where `cache` is written.',
      }),
    ),
    ttl_ms: Type.Optional(ttl('How long a reply is kept. Default: that of `response_cache`.')),
  },
  { additionalProperties: false, description: 'Its replies are kept for equal requests ([more](caching.md)).' },
)

/** For all models. */
export const CacheSettings = Type.Object(
  {
    every_model: Type.Optional(
      Type.Boolean({ description: 'For models that say nothing of `cache` as well. Default: false.' }),
    ),
    ttl_ms: Type.Optional(ttl('How long a reply is kept. Default: 300000.')),
    max_bytes: Type.Optional(
      Type.Integer({
        minimum: 65_536,
        maximum: 68_719_476_736,
        description:
          'Of all replies that are kept; those that were not asked for longest go first. Replies on their way take as much again at most. Default: 67108864.',
      }),
    ),
    max_entry_bytes: Type.Optional(
      Type.Integer({
        minimum: 1024,
        maximum: 1_073_741_824,
        description: 'Of one reply; a larger one is not kept. Default: 4194304, at most `max_bytes`.',
      }),
    ),
  },
  { additionalProperties: false },
)

export type ModelCacheConfig = Static<typeof ModelCache>
export type CacheConfig = Static<typeof CacheSettings>

const usual = { ttlMs: 300_000, maxBytes: 67_108_864, maxEntryBytes: 4_194_304 }

/**
 * The settings in the words of the cache.
 * @param cacheOf what a model says of it
 */
export function cacheOptions(
  { every_model: everyModel = false, ttl_ms, max_bytes, max_entry_bytes }: CacheConfig = {},
  cacheOf: (model: string) => ModelCacheConfig | undefined,
): ResponseCacheOptions {
  const usualMs = ttl_ms ?? usual.ttlMs
  const unsaid: ModelCacheConfig = { enabled: everyModel }
  return {
    maxBytes: max_bytes ?? usual.maxBytes,
    maxEntryBytes: max_entry_bytes ?? usual.maxEntryBytes,
    ttlMsOf(model) {
      const { enabled, ttl_ms: ownMs = usualMs } = cacheOf(model) ?? unsaid
      return enabled === false ? undefined : ownMs
    },
  }
}
