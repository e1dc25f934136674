import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import Type, { type TSchema } from 'typebox'
import { Errors } from 'typebox/schema'
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { routeProblem } from './engines/routed/settings.ts'
import { connectionFiles, connectionProblem } from './engines/upstream/connection/settings.ts'
import { placeProblem } from './engines/upstream/kinds/index.ts'
import { usdProblem } from './platform/prices/usd.ts'
import { type Config, type Setting, type Settings, settings } from './settings.ts'

export type { Config } from './settings.ts'

/*
 * This file alone reads `parlance.yaml` and the environment. An unknown setting or a wrong type is a `ConfigError` that names file and
 * line.
 */

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
  const problem = noNetwork(config)
  if (problem !== undefined) throw new ConfigError(problem.message)
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
            ...(model.mmproj !== undefined && { mmproj: resolve(base, model.mmproj) }),
            ...(model.adapters !== undefined && { adapters: model.adapters.map(path => resolve(base, path)) }),
          }
        : model,
    ]),
  )
  config.upstreams = Object.fromEntries(
    Object.entries(config.upstreams).map(([name, upstream]) => {
      const files = connectionFiles.flatMap(key =>
        upstream[key] === undefined ? [] : [[key, resolve(base, upstream[key])]],
      )
      const { entra } = upstream
      const token =
        entra?.token_file === undefined ? {} : { entra: { ...entra, token_file: resolve(base, entra.token_file) } }
      return [name, { ...upstream, ...Object.fromEntries(files), ...token }]
    }),
  )
  const { llama_server: server } = config
  // A name without a folder is looked for where programs are.
  if (server?.includes('/')) config.llama_server = resolve(server === written.llama_server ? base : cwd, server)
  if (server === undefined)
    for (const [name, model] of Object.entries(config.models))
      if ('engine' in model)
        throw new ConfigError(
          `\`models.${name}.engine\` needs the setting \`llama_server\`, or LLAMA_SERVER_BIN: where the program is.`,
        )
  return config
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

/** A value of the environment or the command line: a text that becomes a number, or a list at its commas, where the setting is one. */
function fromText(row: Setting, text: string, where: string): unknown {
  const isNumber = 'type' in row.schema && row.schema.type === 'integer'
  const isList = Type.IsArray(row.schema)
  const whole = isNumber && /^\d{1,16}$/.test(text.trim()) ? Number(text) : text
  const value = isList ? text.split(',').map(item => item.trim()) : whole
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
  const stray =
    unknownUpstream(filled as Partial<Config>) ??
    badConnection(filled as Partial<Config>) ??
    badPlace(filled as Partial<Config>) ??
    badRoute(filled as Partial<Config>) ??
    scaleAlone(filled as Partial<Config>) ??
    serverAlone(filled as Partial<Config>) ??
    noPrice(filled as Partial<Config>) ??
    noNetwork(filled as Partial<Config>)
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

function badConnection({ upstreams = {} }: Partial<Config>): Problem | undefined {
  for (const [name, upstream] of Object.entries(upstreams)) {
    const problem = connectionProblem(upstream)
    if (problem !== undefined) {
      const path = ['upstreams', name, problem.name]
      return { path, message: `\`${path.join('.')}\` ${problem.message}.` }
    }
  }
  return undefined
}

function badPlace({ upstreams = {} }: Partial<Config>): Problem | undefined {
  for (const [name, upstream] of Object.entries(upstreams)) {
    const problem = placeProblem(upstream)
    if (problem !== undefined) {
      const path = ['upstreams', name, ...problem.path]
      return { path, message: `\`${path.join('.')}\` ${problem.message}.` }
    }
  }
  return undefined
}

function badRoute({ models = {}, upstreams = {} }: Partial<Config>): Problem | undefined {
  for (const [name, model] of Object.entries(models)) {
    const problem = 'targets' in model ? routeProblem(model, upstreams) : undefined
    if (problem !== undefined) {
      const path = ['models', name, ...problem.path]
      return { path, message: `\`${path.join('.')}\` ${problem.message}.` }
    }
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

function serverAlone({ models = {} }: Partial<Config>): Problem | undefined {
  for (const [name, model] of Object.entries(models))
    for (const key of ['mmproj', 'adapters'])
      if (key in model && !('engine' in model))
        return {
          path: ['models', name, key],
          message: `\`models.${name}.${key}\` needs \`engine: llama-server\`.`,
        }
  return undefined
}

function noPrice({ models = {} }: Partial<Config>): Problem | undefined {
  for (const [name, { price }] of Object.entries(models)) {
    const problem = price === undefined ? undefined : usdProblem(price)
    if (problem !== undefined)
      return { path: ['models', name, 'price'], message: `\`models.${name}.price\` ${problem}.` }
  }
  return undefined
}

function noNetwork({ trusted_proxies: proxies = [] }: Partial<Config>): Problem | undefined {
  const stray = proxies.find(proxy => {
    const [address = '', bits] = proxy.split('/')
    return isIP(address) === 0 || Number(bits ?? 0) > (isIP(address) === 4 ? 32 : 128)
  })
  if (stray === undefined) return undefined
  return { path: ['trusted_proxies'], message: `\`trusted_proxies\`: '${stray}' is neither an address nor a network.` }
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
  if (Type.IsUnion(schema) && schema.anyOf.some(branch => Type.IsObject(branch))) {
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
    const meant = schema.anyOf.find(
      branch => Type.IsObject(branch) && (branch.required ?? []).every(key => keys.includes(key)),
    )
    if (meant === undefined)
      return { path, message: `\`${name}\` needs either \`file\` (a GGUF file), \`upstream\` or \`targets\`.` }
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
  if (Type.IsArray(schema) && Type.IsObject(schema.items) && Array.isArray(value))
    for (const [place, item] of value.entries()) {
      const problem = firstProblem(schema.items, item, [...path, String(place)])
      if (problem !== undefined) return problem
    }
  const [, [error]] = Errors(schema, value)
  if (error !== undefined && Type.IsUnion(schema) && !Array.isArray(value))
    return { path, message: `\`${name}\` must be ${schema.anyOf.map(inWords).join(' or ')}.` }
  return error === undefined ? undefined : { path, message: `\`${name}\` ${error.message}.` }
}

/** What may stand in a place, of a few things. */
function inWords(schema: TSchema): string {
  if (Type.IsArray(schema)) return 'a list'
  return Type.IsEnum(schema) ? schema.enum.map(word => `\`${word}\``).join(', ') : 'something else'
}

/** Where a path stands in the text: the key of its last step that exists. */
function offsetOf(root: Node | null, path: string[]): number {
  let node: unknown = root
  let offset = 0
  for (const step of path) {
    const item = isSeq(node) ? node.items[Number(step)] : undefined
    if (item !== undefined) {
      offset = (item as Node).range?.[0] ?? offset
      node = item
      continue
    }
    if (!isMap(node)) break
    const pair = node.items.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === step)
    if (pair === undefined) break
    offset = (pair.key as Node).range?.[0] ?? offset
    node = pair.value
  }
  return offset
}
