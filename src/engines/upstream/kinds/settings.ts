import Type, { type Static } from 'typebox'
import { kindNames } from './kind.ts'

const text = (description: string, more: object = {}) =>
  Type.String({ minLength: 1, maxLength: 4096, ...more, description })

export const EntraSettings = Type.Object(
  {
    tenant_id: text('The directory.', { pattern: '^[A-Za-z0-9.-]{1,255}$' }),
    client_id: text('The application.'),
    client_secret: Type.Optional(
      text('Its secret, sent to the authority alone. Write `${NAME}` to read it from the environment.', {
        writeOnly: true,
      }),
    ),
    token_file: Type.Optional(
      text(
        'Instead of a secret: a file with the token that the platform writes for the application (workload identity). A relative path counts from the folder of parlance.yaml.',
      ),
    ),
    authority: Type.Optional(
      text('Who gives tokens. Default: `https://login.microsoftonline.com`.', {
        pattern: '^(https://[^?#\\s]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:\\d{1,5})?(/[^?#\\s]*)?)$',
      }),
    ),
    scope: Type.Optional(text('What they are for. Default: `https://cognitiveservices.azure.com/.default`.')),
  },
  {
    additionalProperties: false,
    description: 'Azure OpenAI is asked with tokens of Microsoft Entra instead of a key.',
  },
)

/** What kind of server an upstream is, as a part of its settings. */
export const kindSettings = {
  kind: Type.Optional(
    Type.Enum([...kindNames], {
      type: 'string',
      description:
        'What the server is, for what it does in its own way. Default: as its host tells (`api.openai.com`, `*.openai.azure.com` …), else `openai-compatible`.',
    }),
  ),
  base_url: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description:
        'Of an OpenAI-compatible server, `/v1` included; of Azure OpenAI with or without `/openai/v1`. Default: the usual one of its `kind`, where it has one.',
    }),
  ),
  api_version: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9.-]{1,64}$',
      description: 'Of Azure OpenAI. Default: `2024-10-21`; under `/openai/v1` none.',
    }),
  ),
  entra: Type.Optional(EntraSettings),
  n: Type.Optional(
    Type.Enum(['native', 'emulated'], {
      type: 'string',
      description:
        'Who makes the replies of a request with `n` above 1. `emulated`: as many requests at once, each of which reads the prompt. Default: as its `kind` can.',
    }),
  ),
  lenient: Type.Optional(
    Type.Boolean({
      description:
        'Parameters that its `kind` is known to ignore are sent all the same, instead of being refused. Default: `false`.',
    }),
  ),
}

const KindSettings = Type.Object(kindSettings)
export type KindSettings = Static<typeof KindSettings>
