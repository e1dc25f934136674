import type { RateLimitsTable } from '../../store/schema/money.ts'
import { type LimitColumn, limitColumns } from './kinds.ts'

/**
 * The limits of OpenAI's usage tiers for the classic models, per organisation, as its rate limits guide listed them in the summer of
 * 2024 (the tables of the tiers also stand in its cookbook, examples/data/oai_docs/tier-*.txt). Nothing is set until an operator
 * chooses one.
 */
export const tiers = ['free', 'tier-1', 'tier-2', 'tier-3', 'tier-4', 'tier-5'] as const
export type Tier = (typeof tiers)[number]

/** Rows of `rate_limits` without whose they are. */
export type PresetRow = { model: string } & Record<LimitColumn, number | null>

/** @returns a row for each model that the tier names */
export function presetRows(tier: Tier): PresetRow[] {
  return Object.entries(table[tier]).flatMap(([family, limits]) =>
    (families[family] ?? [family]).map(model => ({ ...nothing, model, ...limits })),
  )
}

export const isTier = (name: string): name is Tier => tiers.some(tier => tier === name)

const nothing = Object.fromEntries(limitColumns.map(column => [column, null])) as Record<LimitColumn, null>

/** Names of the guide that stand for several models with a limit each. */
const families: Readonly<Record<string, readonly string[]>> = {
  embeddings: ['text-embedding-3-large', 'text-embedding-3-small', 'text-embedding-ada-002'],
}

type Limits = Partial<Omit<RateLimitsTable, 'model'>>
const chat = (perMinute: number, tokens: number, perDay?: number): Limits => ({
  requests_per_minute: perMinute,
  tokens_per_minute: tokens,
  ...(perDay !== undefined && { requests_per_day: perDay }),
})
const requests = (perMinute: number, perDay?: number): Limits => ({
  requests_per_minute: perMinute,
  ...(perDay !== undefined && { requests_per_day: perDay }),
})
const images = (perMinute: number): Limits => ({ images_per_minute: perMinute })

const table: Readonly<Record<Tier, Readonly<Record<string, Limits>>>> = {
  free: {
    'gpt-3.5-turbo': chat(3, 40_000, 200),
    embeddings: chat(3000, 1_000_000, 200),
    'whisper-1': requests(3, 200),
    'tts-1': requests(3, 200),
    'dall-e-2': images(5),
    'dall-e-3': images(1),
  },
  'tier-1': {
    'gpt-4o': chat(500, 30_000),
    'gpt-4-turbo': chat(500, 30_000),
    'gpt-4': chat(500, 10_000, 10_000),
    'gpt-3.5-turbo': chat(3500, 60_000, 10_000),
    embeddings: chat(3000, 1_000_000),
    'whisper-1': requests(50),
    'tts-1': requests(50),
    'tts-1-hd': requests(3),
    'dall-e-2': images(5),
    'dall-e-3': images(5),
  },
  'tier-2': {
    'gpt-4o': chat(5000, 450_000),
    'gpt-4-turbo': chat(5000, 450_000),
    'gpt-4': chat(5000, 40_000),
    'gpt-3.5-turbo': chat(3500, 80_000),
    embeddings: chat(5000, 1_000_000),
    'whisper-1': requests(50),
    'tts-1': requests(50),
    'tts-1-hd': requests(5),
    'dall-e-2': images(50),
    'dall-e-3': images(7),
  },
  'tier-3': {
    'gpt-4o': chat(5000, 600_000),
    'gpt-4-turbo': chat(5000, 600_000),
    'gpt-4': chat(5000, 80_000),
    'gpt-3.5-turbo': chat(3500, 160_000),
    embeddings: chat(5000, 5_000_000),
    'whisper-1': requests(100),
    'tts-1': requests(100),
    'tts-1-hd': requests(7),
    'dall-e-2': images(100),
    'dall-e-3': images(7),
  },
  'tier-4': {
    'gpt-4o': chat(10_000, 800_000),
    'gpt-4-turbo': chat(10_000, 800_000),
    'gpt-4': chat(10_000, 300_000),
    'gpt-3.5-turbo': chat(10_000, 1_000_000),
    embeddings: chat(10_000, 5_000_000),
    'whisper-1': requests(100),
    'tts-1': requests(100),
    'tts-1-hd': requests(10),
    'dall-e-2': images(100),
    'dall-e-3': images(15),
  },
  'tier-5': {
    'gpt-4o': chat(10_000, 12_000_000),
    'gpt-4-turbo': chat(10_000, 2_000_000),
    'gpt-4': chat(10_000, 300_000),
    'gpt-3.5-turbo': chat(10_000, 2_000_000),
    embeddings: chat(10_000, 10_000_000),
    'whisper-1': requests(500),
    'tts-1': requests(500),
    'tts-1-hd': requests(20),
    'dall-e-2': images(500),
    'dall-e-3': images(75),
  },
}
