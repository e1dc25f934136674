import Type from 'typebox'
import { connectionSettings } from './connection/settings.ts'

/** How an upstream is written in the settings, and kept when it is added to a running server. */

const timeout = (description: string) => Type.Integer({ minimum: 1, maximum: 86_400_000, description })

export const UpstreamSettings = Type.Object(
  {
    base_url: Type.String({ pattern: '^https?://', description: 'Of an OpenAI-compatible server, `/v1` included.' }),
    api_key: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Sent as bearer token. Write `${NAME}` to read it from the environment.',
      }),
    ),
    first_byte_timeout_ms: Type.Optional(timeout('Until the answer begins. Default: 600000.')),
    idle_timeout_ms: Type.Optional(timeout('Between two pieces of a stream. Default: 120000.')),
    ...connectionSettings,
  },
  { additionalProperties: false },
)
