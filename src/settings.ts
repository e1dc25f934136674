import Type, { type Static, type TSchema } from 'typebox'
import { TargetSettings } from './engines/routed/settings.ts'
import { type UpstreamConfig, UpstreamSettings } from './engines/upstream/settings.ts'
import { UsdPrice } from './platform/prices/usd.ts'
import { type CacheConfig, CacheSettings, ModelCache } from './platform/response-cache/settings.ts'
import {
  RoutedModel,
  type RoutedModelConfig,
  UpstreamModel,
  type UpstreamModelConfig,
} from './platform/routes/settings.ts'

/** Every setting once: name, type, default, sentence. `config.ts` reads them, `docs/config.md` is printed from them. */

const LocalModel = Type.Object(
  {
    file: Type.String({
      minLength: 1,
      description: 'A GGUF file; a relative path counts from the folder of parlance.yaml.',
    }),
    adapter: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'A GGUF file with a LoRA adapter for `file`. The same `file` can be a model without it too.',
      }),
    ),
    scale: Type.Optional(
      Type.Number({ minimum: -100, maximum: 100, description: 'How strongly the adapter works. Default: 1.' }),
    ),
    engine: Type.Optional(
      Type.Literal('llama-server', {
        description:
          'Runs the file in llama.cpp’s own server (see the setting `llama_server`), for `mmproj` and `adapters`.',
      }),
    ),
    mmproj: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'A GGUF file with the projector that comes with `file`: the model then reads images.',
      }),
    ),
    adapters: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        maxItems: 16,
        description:
          'GGUF files with LoRA adapters that a request may choose by number: `"lora": [{"id": 0, "scale": 1}]`.',
      }),
    ),
    context: Type.Optional(
      Type.Integer({
        minimum: 64,
        maximum: 1_048_576,
        description: 'Tokens per request. Default: the model’s own, at most 8192.',
      }),
    ),
    slots: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 64, description: 'Requests that run at once. Default: 4.' }),
    ),
    threads: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 256, description: 'Default: processor cores − 1, at least 1.' }),
    ),
    idle_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 86_400_000,
        description: 'How long it stays loaded without requests; 0 is for ever. Default: the setting `model_idle_ms`.',
      }),
    ),
    price: Type.Optional(UsdPrice),
    cache: Type.Optional(ModelCache),
  },
  { additionalProperties: false },
)

const StartingCredit = Type.Object(
  {
    amount_usd: Type.Optional(
      Type.Number({ minimum: 0.01, maximum: 9_000_000, description: 'What they are given, in USD. Default: 5.' }),
    ),
    months: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1200, description: 'How long it can be spent. Default: 3.' }),
    ),
  },
  { additionalProperties: false },
)

const Oidc = Type.Object(
  {
    issuer: Type.String({
      maxLength: 2048,
      pattern: '^(https://[^?#\\s]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:\\d{1,5})?(/[^?#\\s]*)?)$',
      description: 'The provider, as it names itself. Over https, except on this machine.',
    }),
    client_id: Type.String({
      minLength: 1,
      maxLength: 1024,
      description: 'Under which the provider knows this server.',
    }),
    client_secret: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'Sent to the provider alone. Write `${NAME}` to read it from the environment.',
    }),
    scopes: Type.Optional(
      Type.Array(Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,100}$' }), {
        maxItems: 20,
        description: 'What is asked for beside `openid`. Default: `email` and `profile`.',
      }),
    ),
    allowed_domains: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9.-]{1,253}$' }), {
        maxItems: 100,
        description:
          'Whoever has a verified address of one of these joins by signing in. Others need an account or an invite.',
      }),
    ),
    organization: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'Which they join: a name or an id. Default: the first.',
      }),
    ),
    role: Type.Optional(
      Type.Enum(['reader', 'owner'], { type: 'string', description: 'What they become there. Default: `reader`.' }),
    ),
  },
  { additionalProperties: false },
)

const Mail = Type.Object(
  {
    smtp_url: Type.String({
      maxLength: 2048,
      pattern: '^smtps?://[^\\s/]+/?$',
      description:
        '`smtps://user:password@host:465` or `smtp://…:587`. Write `${NAME}` to read it from the environment.',
    }),
    from: Type.String({ minLength: 3, maxLength: 320, pattern: '^[^\\r\\n]+@[^\\r\\n]+$', description: 'The sender.' }),
    to: Type.Optional(
      Type.Array(Type.String({ minLength: 3, maxLength: 320, pattern: '^[^\\s@]+@[^\\s@]+$' }), {
        minItems: 1,
        maxItems: 100,
        description: 'Who is told. Default: the owners of the organisation, and of the project.',
      }),
    ),
  },
  { additionalProperties: false },
)

const Webhook = Type.Object(
  {
    url: Type.String({ maxLength: 2048, pattern: '^https?://[^\\s#]+$', description: 'Where events are posted.' }),
    secret: Type.String({
      pattern: '^whsec_[A-Za-z0-9+/]{22,}={0,2}$',
      maxLength: 512,
      description: '`whsec_` and at least 16 bytes in base64 (`openssl rand -base64 32`): what the receiver verifies.',
    }),
  },
  { additionalProperties: false },
)

export const settings = {
  host: setting(
    Type.String({ minLength: 1 }),
    '127.0.0.1',
    'Address to listen on. Anything but loopback needs a key to exist before the start.',
    'PARLANCE_HOST',
  ),
  port: setting(
    Type.Integer({ minimum: 0, maximum: 65535 }),
    8787,
    'Port to listen on; 0 picks a free one.',
    'PARLANCE_PORT',
  ),
  public_url: setting(
    Type.String({ pattern: '^https?://[^/?#@\\s]{1,300}/?$' }),
    undefined,
    'Where people reach this server with a browser, such as `https://ai.example.com`, when it is neither `localhost` nor an address of numbers.',
    'PARLANCE_PUBLIC_URL',
  ),
  trusted_proxies: setting(
    Type.Array(Type.String({ pattern: '^[0-9a-fA-F:.]{2,45}(/\\d{1,3})?$' }), { maxItems: 100 }),
    [],
    'Addresses and networks (`10.0.0.0/8`) of proxies in front of this server, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.',
    'PARLANCE_TRUSTED_PROXIES',
  ),
  oidc: setting(Oidc, undefined, 'A provider through which people sign in (OpenID Connect).'),
  data_dir: setting(
    Type.String({ minLength: 1 }),
    '~/.local/share/parlance',
    'Folder of the database, its backups and everything else that is kept. `XDG_DATA_HOME` is honoured.',
    'PARLANCE_DATA_DIR',
  ),
  bootstrap_key: setting(
    Type.String({ minLength: 1, maxLength: 256, pattern: '^[\\x21-\\x7e]+$' }),
    undefined,
    'The first key, instead of a made-up one (containers, tests). It belongs to the owner and may do everything.',
    'PARLANCE_BOOTSTRAP_KEY',
  ),
  secret_key: setting(
    secretKey(),
    undefined,
    'Encrypts the secrets of upstreams and routes that are added while the server runs: 32 bytes in base64 or hex (`openssl rand -base64 32`). Without it and `secret_key_file` a key is made in the data folder, as `secret.key`.',
    'PARLANCE_SECRET_KEY',
  ),
  secret_key_file: setting(
    Type.String({ minLength: 1, maxLength: 4096 }),
    undefined,
    'A file that holds it instead. An absolute path.',
    'PARLANCE_SECRET_KEY_FILE',
  ),
  secret_keys_old: setting(
    Type.Array(secretKey(), { maxItems: 10 }),
    [],
    'Keys of before: what they encrypted is encrypted anew when the server starts.',
    'PARLANCE_SECRET_KEYS_OLD',
  ),
  max_body_bytes: setting(
    Type.Integer({ minimum: 1024, maximum: 1_073_741_824 }),
    16_777_216,
    'The largest request body that is read.',
  ),
  batch_discount: setting(
    Type.Number({ minimum: 0, maximum: 1 }),
    0.5,
    'How much less the requests of batches cost: 0.5 is half the price, as at OpenAI; 0 is the whole price.',
    'PARLANCE_BATCH_DISCOUNT',
  ),
  files_quota_bytes: setting(
    Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 }),
    2_500_000_000_000,
    'What the files of one project may take together, parts of uploads included. Default: 2.5 TB, as at OpenAI.',
    'PARLANCE_FILES_QUOTA_BYTES',
  ),
  ledger: setting(
    Type.Enum(['grouped', 'strict'], { type: 'string' }),
    'grouped',
    'How money is booked. `grouped`: a few milliseconds behind the requests, so that a kill loses at most those. `strict`: what a request may cost is on the disk before it starts, and what it did cost before its last byte leaves.',
    'PARLANCE_LEDGER',
  ),
  credit: setting(
    StartingCredit,
    undefined,
    'New organisations pay with credit, and are given some to begin with: `{}` for 5 USD and three months. Without it they need none.',
  ),
  mail: setting(Mail, undefined, 'Through which people are told when a soft limit is passed or credit is used up.'),
  webhook: setting(
    Webhook,
    undefined,
    'A program that is told the same, signed as Standard Webhooks say (`webhooks.unwrap` of OpenAI’s clients verifies it).',
  ),
  drain_timeout_ms: setting(timeout(''), 30_000, 'How long running requests may go on after SIGTERM.'),
  log_requests: setting(
    Type.Boolean(),
    false,
    'One line per request on standard error: operation, status, time; never a key, a prompt or a reply.',
  ),
  http_proxy: setting(
    proxyAddress(),
    undefined,
    'The proxy through which http servers are asked: upstreams that have no `proxy` of their own, the hub, the provider of `oidc`. Never for this machine.',
    'http_proxy',
    'HTTP_PROXY',
  ),
  https_proxy: setting(proxyAddress(), undefined, 'The same for https servers.', 'https_proxy', 'HTTPS_PROXY'),
  no_proxy: setting(
    Type.String({ maxLength: 65_536 }),
    undefined,
    'Hosts that are asked without a proxy, separated by commas: `example.com` (with what is below it), `*.example.com`, addresses, networks, `*`; each may have a `:port`.',
    'no_proxy',
    'NO_PROXY',
  ),
  hub_url: setting(
    Type.String({ pattern: '^https?://[^?#]+$', maxLength: 2048 }),
    'https://huggingface.co',
    'Where `parlance pull` finds models by name.',
    'PARLANCE_HUB_URL',
  ),
  hub_token: setting(
    Type.String({ minLength: 1, maxLength: 4096 }),
    undefined,
    'For models that the hub does not give to everyone. It is sent to the hub alone.',
    'PARLANCE_HUB_TOKEN',
    'HF_TOKEN',
  ),
  llama_server: setting(
    Type.String({ minLength: 1, maxLength: 4096 }),
    undefined,
    'The program `llama-server` of llama.cpp, for models whose `engine` it is.',
    'LLAMA_SERVER_BIN',
  ),
  model_memory_bytes: setting(
    Type.Integer({ minimum: 1, maximum: 1_125_899_906_842_624 }),
    undefined,
    'What all loaded local models may take together; the least recently used ones go when another needs their room. Default: three quarters of the memory of the machine or container, at least 536870912.',
    'PARLANCE_MODEL_MEMORY_BYTES',
  ),
  model_idle_ms: setting(
    Type.Integer({ minimum: 0, maximum: 86_400_000 }),
    600_000,
    'How long a local model stays loaded without requests; 0 is for ever.',
    'PARLANCE_MODEL_IDLE_MS',
  ),
  upstreams: setting(Type.Record(Type.String(), UpstreamSettings), {}, 'Servers that answer for some of the models.'),
  models: setting(
    Type.Record(Type.String(), Type.Union([LocalModel, UpstreamModel, RoutedModel])),
    {},
    'Models by the name that clients use: a GGUF file, a model of an upstream, or several of them.',
  ),
  response_cache: setting(
    CacheSettings,
    undefined,
    'Replies serve equal requests, for models whose `cache` says so: how much is kept, and for how long.',
  ),
  prices: setting(
    Type.Enum(['none', 'classic'], { type: 'string' }),
    'none',
    'What a model costs that has no `price` of its own. `none`: it cannot be called, unless it runs on this machine, where it is free. `classic`: what OpenAI charges for the model of that name.',
    'PARLANCE_PRICES',
  ),
  aliases: setting(
    Type.Record(Type.String(), Type.String({ minLength: 1 })),
    {},
    'Other names for models. The classic names lead to the built-in models until they are set here.',
  ),
} as const

/** What an entry of `models` and of `upstreams` holds, for the documentation. */
export const modelSettings = {
  local: LocalModel,
  upstream: UpstreamModel,
  routed: RoutedModel,
  target: TargetSettings,
  price: UsdPrice,
}
export const upstreamSettings = UpstreamSettings
export const oidcSettings = Oidc
export const creditSettings = StartingCredit
export const cacheSettings = { all: CacheSettings, model: ModelCache }
export const noticeSettings = { mail: Mail, webhook: Webhook }

export type Settings = typeof settings
export type LocalModelConfig = Static<typeof LocalModel>
export type OidcConfig = Static<typeof Oidc>

/** All settings with their defaults filled in; paths are absolute. */
export interface Config {
  host: string
  port: number
  public_url: string | undefined
  trusted_proxies: string[]
  oidc: OidcConfig | undefined
  data_dir: string
  bootstrap_key: string | undefined
  secret_key: string | undefined
  secret_key_file: string | undefined
  secret_keys_old: string[]
  max_body_bytes: number
  batch_discount: number
  files_quota_bytes: number
  ledger: 'grouped' | 'strict'
  credit: Static<typeof StartingCredit> | undefined
  mail: Static<typeof Mail> | undefined
  webhook: Static<typeof Webhook> | undefined
  drain_timeout_ms: number
  log_requests: boolean
  http_proxy: string | undefined
  https_proxy: string | undefined
  no_proxy: string | undefined
  hub_url: string
  hub_token: string | undefined
  llama_server: string | undefined
  model_memory_bytes: number | undefined
  model_idle_ms: number
  upstreams: Record<string, UpstreamConfig>
  models: Record<string, LocalModelConfig | UpstreamModelConfig | RoutedModelConfig>
  response_cache: CacheConfig | undefined
  prices: 'none' | 'classic'
  aliases: Record<string, string>
  /** The file that was read, if any. */
  file: string | undefined
}

export interface Setting {
  schema: TSchema
  default: unknown
  sentence: string
  /** Names in the environment; the first that is set counts. */
  env: readonly string[]
}

function setting<Schema extends TSchema>(
  schema: Schema,
  value: Static<Schema> | undefined,
  sentence: string,
  ...env: string[]
): Setting {
  return { schema, default: value, sentence, env }
}

function proxyAddress() {
  return Type.String({ minLength: 1, maxLength: 2048, pattern: '^\\S+$' })
}

function secretKey() {
  return Type.String({ pattern: '^([0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{43}=?)$' })
}

function timeout(description: string) {
  return Type.Integer({ minimum: 1, maximum: 86_400_000, description })
}
