import { type Price, priceOf } from './price.ts'
import type { UsdPrice } from './usd.ts'

/**
 * OpenAI's list prices of the classic models, by their names: the preset `prices: classic`. USD, standard processing, as its pricing
 * page (openai.com/api/pricing) had them on 2025-04-30; for models that were gone by then the last price, as its deprecations page
 * lists it. What OpenAI charges for tools has a price under the tool's name.
 */
const list: Readonly<Record<string, UsdPrice>> = {
  ...each(['gpt-4.1', 'gpt-4.1-2025-04-14'], { input: 2, cached_input: 0.5, output: 8 }),
  ...each(['gpt-4.1-mini', 'gpt-4.1-mini-2025-04-14'], { input: 0.4, cached_input: 0.1, output: 1.6 }),
  ...each(['gpt-4.1-nano', 'gpt-4.1-nano-2025-04-14'], { input: 0.1, cached_input: 0.025, output: 0.4 }),
  ...each(['gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06'], { input: 2.5, cached_input: 1.25, output: 10 }),
  ...each(['gpt-4o-2024-05-13', 'chatgpt-4o-latest'], { input: 5, output: 15 }),
  ...each(['gpt-4o-mini', 'gpt-4o-mini-2024-07-18'], { input: 0.15, cached_input: 0.075, output: 0.6 }),
  ...each(
    [
      ...['gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-turbo-preview', 'gpt-4-0125-preview', 'gpt-4-1106-preview'],
      ...['gpt-4-vision-preview', 'gpt-4-1106-vision-preview'],
    ],
    { input: 10, output: 30 },
  ),
  ...each(['gpt-4', 'gpt-4-0613', 'gpt-4-0314'], { input: 30, output: 60 }),
  ...each(['gpt-4-32k', 'gpt-4-32k-0613', 'gpt-4-32k-0314'], { input: 60, output: 120 }),
  ...each(['gpt-3.5-turbo', 'gpt-3.5-turbo-0125'], { input: 0.5, output: 1.5 }),
  ...each(['gpt-3.5-turbo-1106'], { input: 1, output: 2 }),
  ...each(['gpt-3.5-turbo-0613', 'gpt-3.5-turbo-0301'], { input: 1.5, output: 2 }),
  ...each(['gpt-3.5-turbo-16k', 'gpt-3.5-turbo-16k-0613'], { input: 3, output: 4 }),
  ...each(['gpt-3.5-turbo-instruct', 'gpt-3.5-turbo-instruct-0914'], { input: 1.5, output: 2 }),

  'davinci-002': { input: 2, output: 2 },
  'babbage-002': { input: 0.4, output: 0.4 },
  ...each(['text-davinci-003', 'text-davinci-002', 'text-davinci-001', 'davinci'], { input: 20, output: 20 }),
  ...each(['text-curie-001', 'curie'], { input: 2, output: 2 }),
  ...each(['text-babbage-001', 'babbage'], { input: 0.5, output: 0.5 }),
  ...each(['text-ada-001', 'ada'], { input: 0.4, output: 0.4 }),

  'text-embedding-3-small': { input: 0.02 },
  'text-embedding-3-large': { input: 0.13 },
  'text-embedding-ada-002': { input: 0.1 },

  'whisper-1': { audio_minute: 0.006 },
  'tts-1': { speech: 15 },
  'tts-1-hd': { speech: 30 },
  'dall-e-2': { image: { '256x256': 0.016, '512x512': 0.018, '1024x1024': 0.02 } },
  'dall-e-3': {
    image: {
      ...{ '1024x1024': 0.04, '1792x1024': 0.08, '1024x1792': 0.08 },
      ...{ '1024x1024 hd': 0.08, '1792x1024 hd': 0.12, '1024x1792 hd': 0.12 },
    },
  },

  code_interpreter: { code_session: 0.03 },
  vector_stores: { storage_gb_day: 0.1 },
}

/** By the name of the model or tool. */
export const classicPrices: ReadonlyMap<string, Price> = new Map(
  Object.entries(list).map(([name, usd]) => [name, priceOf(usd)]),
)

function each(names: readonly string[], price: UsdPrice): Record<string, UsdPrice> {
  return Object.fromEntries(names.map(name => [name, price]))
}
