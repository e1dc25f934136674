import Type, { type Static } from 'typebox'
import type { CoalescingOptions } from './index.ts'

/** How the joining of requests is written in the settings of an upstream. */
export const CoalescingSettings = Type.Object(
  {
    wait_ms: Type.Integer({
      minimum: 0,
      maximum: 1000,
      description: 'How long a request waits for others. 0: each is sent alone.',
    }),
    max_inputs: Type.Optional(
      Type.Integer({ minimum: 2, maximum: 2048, description: 'Of a joint request. Default: 128.' }),
    ),
    max_tokens: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Of a joint request. Default: 100000.' }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Joins requests for embeddings that come at about the same time, whoever their callers are, into one to the upstream. Default: each is sent alone.',
  },
)

/** In the words of the engine; undefined: each is sent alone. */
export function coalescingOptions(
  settings: Static<typeof CoalescingSettings> | undefined,
): CoalescingOptions | undefined {
  if (settings === undefined || settings.wait_ms === 0) return undefined
  const { wait_ms: waitMs, max_inputs: inputsMax, max_tokens: tokensMax } = settings
  return { waitMs, ...(inputsMax !== undefined && { inputsMax }), ...(tokensMax !== undefined && { tokensMax }) }
}
