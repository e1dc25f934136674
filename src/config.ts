import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import Type, { type Static, type TSchema } from 'typebox'
import { Errors } from 'typebox/schema'
import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml'

/**
 * Every setting once: name, type, default, sentence. This file alone reads `parlance.yaml` and the environment; `docs/config.md`
 * is printed from it. An unknown setting or a wrong type is a `ConfigError` that names file and line.
 */
const Price = Type.Object(
  {
    input: usd('USD per million input tokens.'),
    output: Type.Optional(usd('USD per million output tokens. Default: 0.')),
    cached_input: Type.Optional(
      usd('USD per million input tokens that came from a cache. Default: the price of input.'),
    ),
  },
  { additionalProperties: false, description: 'What a token costs. Zero is a price.' },
)

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
    price: Type.Optional(Price),
  },
  { additionalProperties: false },
)

const UpstreamModel = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'A name under `upstreams`.' }),
    name: Type.Optional(Type.String({ minLength: 1, description: 'The model’s name there. Default: its name here.' })),
    price: Type.Optional(Price),
  },
  { additionalProperties: false },
)

const Upstream = Type.Object(
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
  max_body_bytes: setting(
    Type.Integer({ minimum: 1024, maximum: 1_073_741_824 }),
    16_777_216,
    'The largest request body that is read.',
  ),
  drain_timeout_ms: setting(timeout(''), 30_000, 'How long running requests may go on after SIGTERM.'),
  log_requests: setting(
    Type.Boolean(),
    false,
    'One line per request on standard error: operation, status, time; never a key, a prompt or a reply.',
  ),
  hub_url: setting(
    Type.String({ pattern: '^https?://[^?#]+$', maxLength: 2048 }),
    'https://huggingface.co',
    'Where `parlance pull` finds models by name. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured.',
    'PARLANCE_HUB_URL',
  ),
  hub_token: setting(
    Type.String({ minLength: 1, maxLength: 4096 }),
    undefined,
    'For models that the hub does not give to everyone. It is sent to the hub alone.',
    'PARLANCE_HUB_TOKEN',
    'HF_TOKEN',
  ),
  upstreams: setting(Type.Record(Type.String(), Upstream), {}, 'Servers that answer for some of the models.'),
  models: setting(
    Type.Record(Type.String(), Type.Union([LocalModel, UpstreamModel])),
    {},
    'Models by the name that clients use: a GGUF file, or a model of an upstream.',
  ),
  aliases: setting(
    Type.Record(Type.String(), Type.String({ minLength: 1 })),
    {},
    'Other names for models. The classic names lead to the built-in models until they are set here.',
  ),
} as const

/** What an entry of `models` and of `upstreams` holds, for the documentation. */
export const modelSettings = { local: LocalModel, upstream: UpstreamModel, price: Price }
export const upstreamSettings = Upstream

type Settings = typeof settings
export type LocalModelConfig = Static<typeof LocalModel>
export type UpstreamModelConfig = Static<typeof UpstreamModel>
export type UpstreamConfig = Static<typeof Upstream>
export type PriceConfig = Static<typeof Price>

/** All settings with their defaults filled in; paths are absolute. */
export interface Config {
  host: string
  port: number
  data_dir: string
  bootstrap_key: string | undefined
  max_body_bytes: number
  drain_timeout_ms: number
  log_requests: boolean
  hub_url: string
  hub_token: string | undefined
  upstreams: Record<string, UpstreamConfig>
  models: Record<string, LocalModelConfig | UpstreamModelConfig>
  aliases: Record<string, string>
  /** The file that was read, if any. */
  file: string | undefined
}

/** A setting that cannot be used; the message says where and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export interface ConfigSources {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Settings of the command line, which win over everything. */
  overrides?: Partial<Record<keyof Settings, string | number>>
}

/**
 * Reads the settings: command line over environment over `parlance.yaml` over defaults.
 * @throws ConfigError naming file and line, or the environment variable
 */
export function readConfig({ env, cwd, overrides = {} }: ConfigSources): Config {
  const file = configFile(env, cwd)
  const written = file === undefined ? {} : readYaml(file, env)
  const values: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(settings)) {
    const variable = row.env.find(candidate => env[candidate] !== undefined && env[candidate] !== '')
    if (name in overrides)
      values[name] = fromText(row, String(overrides[name as keyof Settings]), `--${name.replaceAll('_', '-')}`)
    else if (variable !== undefined) values[name] = fromText(row, env[variable] ?? '', variable)
    else values[name] = written[name] ?? row.default
  }
  const config = { ...values, file } as Config
  config.data_dir = dataDir(config.data_dir, env, cwd)
  const base = file === undefined ? cwd : dirname(file)
  config.models = Object.fromEntries(
    Object.entries(config.models).map(([name, model]) => [
      name,
      'file' in model
        ? {
            ...model,
            file: resolve(base, model.file),
            ...(model.adapter !== undefined && { adapter: resolve(base, model.adapter) }),
          }
        : model,
    ]),
  )
  return config
}

interface Setting {
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

function usd(description: string) {
  return Type.Number({ minimum: 0, maximum: 1_000_000, description })
}

function timeout(description: string) {
  return Type.Integer({ minimum: 1, maximum: 86_400_000, description })
}

function configFile(env: ConfigSources['env'], cwd: string): string | undefined {
  const named = env.PARLANCE_CONFIG
  if (named !== undefined && named !== '') return resolve(cwd, named)
  const usual = join(cwd, 'parlance.yaml')
  try {
    readFileSync(usual)
    return usual
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new ConfigError(`${usual} cannot be read.`, { cause: error })
  }
}

function dataDir(value: string, env: ConfigSources['env'], cwd: string): string {
  if (value !== settings.data_dir.default) return resolve(cwd, value.replace(/^~(?=\/|$)/, homedir()))
  const xdg = env.XDG_DATA_HOME
  return join(xdg?.startsWith('/') ? xdg : join(homedir(), '.local', 'share'), 'parlance')
}

/** A value of the environment or the command line: a text that becomes a number where the setting is one. */
function fromText(row: Setting, text: string, where: string): unknown {
  const isNumber = 'type' in row.schema && row.schema.type === 'integer'
  const value = isNumber && /^\d{1,16}$/.test(text.trim()) ? Number(text) : text
  const [, [problem]] = Errors(row.schema, value)
  if (problem !== undefined) throw new ConfigError(`${where}: ${problem.message} (${row.sentence})`)
  return value
}

/** Reads and checks one file. The first problem is reported with its line. */
function readYaml(file: string, env: ConfigSources['env']): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${file} cannot be read. PARLANCE_CONFIG names the settings file.`, { cause: error })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`
  const [syntax] = document.errors
  if (syntax !== undefined) throw new ConfigError(`${at(syntax.pos[0])}: ${syntax.message}`)
  if (document.contents === null) return {}
  if (!isMap(document.contents)) throw new ConfigError(`${at(0)}: expected settings as \`name: value\`.`)

  const value: unknown = document.toJS({ maxAliasCount: 100 })
  const schema = Type.Object(
    Object.fromEntries(Object.entries(settings).map(([name, row]) => [name, Type.Optional(row.schema)])),
    { additionalProperties: false },
  )
  const filled = interpolate(value, env, [], (path, message) => {
    throw new ConfigError(`${at(offsetOf(document.contents, path))}: ${message}`)
  })
  const problem = firstProblem(schema, filled, [])
  if (problem !== undefined)
    throw new ConfigError(`${at(offsetOf(document.contents, problem.path))}: ${problem.message}`)
  const stray = unknownUpstream(filled as Partial<Config>) ?? scaleAlone(filled as Partial<Config>)
  if (stray !== undefined) throw new ConfigError(`${at(offsetOf(document.contents, stray.path))}: ${stray.message}`)
  return filled as Record<string, unknown>
}

function unknownUpstream({ models = {}, upstreams = {} }: Partial<Config>): Problem | undefined {
  for (const [name, model] of Object.entries(models))
    if ('upstream' in model && !(model.upstream in upstreams))
      return {
        path: ['models', name, 'upstream'],
        message: `\`models.${name}\` names the upstream \`${model.upstream}\`, which is not under \`upstreams\`.`,
      }
  return undefined
}

function scaleAlone({ models = {} }: Partial<Config>): Problem | undefined {
  for (const [name, model] of Object.entries(models))
    if ('scale' in model && model.adapter === undefined)
      return {
        path: ['models', name, 'scale'],
        message: `\`models.${name}.scale\` says nothing without an \`adapter\`.`,
      }
  return undefined
}

/** Replaces `${NAME}` in texts by the environment's value; a name that is not set is a problem, an empty one too. */
function interpolate(
  value: unknown,
  env: ConfigSources['env'],
  path: string[],
  problem: (path: string[], message: string) => void,
): unknown {
  if (typeof value === 'string')
    return value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = env[name]
      if (found === undefined || found === '') problem(path, `the environment variable ${name} is not set.`)
      return found ?? ''
    })
  if (Array.isArray(value)) return value.map((item, index) => interpolate(item, env, [...path, String(index)], problem))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, interpolate(item, env, [...path, name], problem)]),
  )
}

interface Problem {
  path: string[]
  message: string
}

/** Walks schema and value together, so that unions of objects report the branch that was meant and every problem has its place. */
function firstProblem(schema: TSchema, value: unknown, path: string[]): Problem | undefined {
  const name = path.join('.')
  if (Type.IsUnion(schema)) {
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
    const meant = schema.anyOf.find(
      branch => Type.IsObject(branch) && (branch.required ?? []).every(key => keys.includes(key)),
    )
    if (meant === undefined)
      return { path, message: `\`${name}\` needs either \`file\` (a GGUF file) or \`upstream\`.` }
    return firstProblem(meant, value, path)
  }
  if (Type.IsObject(schema) || Type.IsRecord(schema)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { path, message: `\`${name}\` must be a group of settings.` }
    const known = Type.IsObject(schema) ? schema.properties : undefined
    for (const [key, item] of Object.entries(value)) {
      const inner = Type.IsRecord(schema) ? Object.values(schema.patternProperties)[0] : schema.properties[key]
      if (inner === undefined)
        return {
          path: [...path, key],
          message: `unknown setting \`${[...path, key].join('.')}\`. Known here: ${Object.keys(known ?? {}).join(', ')}.`,
        }
      const problem = firstProblem(inner, item, [...path, key])
      if (problem !== undefined) return problem
    }
    const missing = Type.IsObject(schema) ? (schema.required ?? []).find(key => !(key in value)) : undefined
    return missing === undefined ? undefined : { path, message: `\`${name}\` needs \`${missing}\`.` }
  }
  const [, [error]] = Errors(schema, value)
  return error === undefined ? undefined : { path, message: `\`${name}\` ${error.message}.` }
}

/** Where a path stands in the text: the key of its last step that exists. */
function offsetOf(root: Node | null, path: string[]): number {
  let node: unknown = root
  let offset = 0
  for (const step of path) {
    if (!isMap(node)) break
    const pair = node.items.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === step)
    if (pair === undefined) break
    offset = (pair.key as Node).range?.[0] ?? offset
    node = pair.value
  }
  return offset
}
