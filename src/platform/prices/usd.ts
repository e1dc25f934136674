import Type, { type Static } from 'typebox'

/** A price as people write it, in USD: in `parlance.yaml`, at the command line, in the table `prices`. */
export const UsdPrice = Type.Object(
  {
    input: Type.Optional(usd('USD per million input tokens. Without it, what is counted in tokens has no price.')),
    output: Type.Optional(usd('USD per million output tokens. Default: 0.')),
    cached_input: Type.Optional(
      usd('USD per million input tokens that came from a cache. Default: the price of input.'),
    ),
    image: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), usd(), {
        description:
          'USD per image, by size and quality: `{ 1024x1024: 0.04, "1024x1024 hd": 0.08 }`; `any` stands for all others.',
      }),
    ),
    audio_second: Type.Optional(usd('USD per second of audio that is listened to.')),
    audio_minute: Type.Optional(usd('The same per minute.')),
    speech: Type.Optional(usd('USD per million characters that are spoken.')),
    storage_gb_day: Type.Optional(usd('USD per GB (1,000,000,000 bytes) and day of storage.')),
    code_session: Type.Optional(usd('USD per session of the code interpreter.')),
    call: Type.Optional(usd('USD per call of what is counted in calls.')),
  },
  { additionalProperties: false, description: 'What it costs. Zero is a price.' },
)

export type UsdPrice = Static<typeof UsdPrice>

/** What is wrong with a price, as a sentence about `price`; undefined: nothing. */
export function usdProblem(price: UsdPrice): string | undefined {
  if (Object.keys(price).length === 0) return 'names nothing that has a price'
  const { input, output, cached_input: cached } = price
  if (input === undefined && (output !== undefined || cached !== undefined))
    return 'needs `input` beside `output` or `cached_input`'
  if (price.audio_second !== undefined && price.audio_minute !== undefined)
    return 'says `audio_second` and `audio_minute`: leave out one of them'
  return undefined
}

function usd(description?: string) {
  return Type.Number({ minimum: 0, maximum: 1_000_000, ...(description !== undefined && { description }) })
}
