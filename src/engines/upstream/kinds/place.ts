import type { RelayPath } from '../../engine.ts'
import { isObject } from '../values.ts'
import { type Kind, type KindName, kindNames } from './kind.ts'
import { table } from './table.ts'

/** What the settings of an upstream say of where it is, in their words. */
export interface PlaceSettings {
  readonly kind?: KindName | undefined
  readonly base_url?: string | undefined
  readonly api_version?: string | undefined
}

/** Where an upstream is, and what is asked where. Paths begin with a slash and hold what the address has of a path, and the query. */
export interface Place {
  readonly kind: Kind
  /** As in the settings, or the usual one of the kind: its origin counts. */
  readonly baseUrl: string
  /** Where a request goes. The target stands in Azure's alone. */
  path(path: RelayPath, target: string): string
  /** Where its models are listed. */
  readonly modelsPath: string
  /** Whether models of that list can be called by their names; Azure lists what could be deployed instead. */
  readonly listsCallable: boolean
  /** The name and the value of the header with a key. */
  readonly keyHeader: (key: string) => readonly [string, string]
  /** The version that its paths hold; absent: they hold none, or none was told under `/openai/v1`. */
  readonly apiVersion?: string
}

/** The last version that is no preview: what comes later is under `/openai/v1`, which wants none (learn.microsoft.com, api-version-lifecycle). */
const usualApiVersion = '2024-10-21'

/** The kinds by name. */
export const kinds: ReadonlyMap<KindName, Kind> = new Map(kindNames.map(name => [name, { name, ...table[name] }]))

/** The kind that an upstream's settings name, or that its host tells; `openai-compatible` when neither does. */
export function kindOf({ kind, base_url: baseUrl }: PlaceSettings): Kind {
  if (kind !== undefined) return known(kind)
  const host = baseUrl === undefined ? undefined : hostOf(baseUrl)
  const told = host === undefined ? undefined : [...kinds.values()].find(one => one.hosts?.some(end => isAt(host, end)))
  return told ?? known('openai-compatible')
}

/** @throws TypeError when there is no address: `addressProblem` tells it before */
export function placeOf(settings: PlaceSettings): Place {
  const kind = kindOf(settings)
  const baseUrl = settings.base_url ?? kind.baseUrl
  if (baseUrl === undefined) throw new TypeError(`An upstream of the kind '${kind.name}' needs an address.`)
  const keyHeader: Place['keyHeader'] = key =>
    kind.key === 'api-key' ? ['api-key', key] : ['authorization', `Bearer ${key}`]
  const base = new URL(baseUrl).pathname.replace(/\/+$/, '')
  if (kind.deployments)
    return { kind, baseUrl, keyHeader, listsCallable: false, ...azurePaths(base, settings.api_version) }
  return { kind, baseUrl, keyHeader, listsCallable: true, path: path => base + path, modelsPath: `${base}/models` }
}

/** What is wrong with these settings together, after the name of the one it is about. */
export function placeProblem(settings: object): { path: string[]; message: string } | undefined {
  const {
    kind: name,
    base_url: baseUrl,
    api_version: version,
    api_key: key,
    entra,
    expose,
  } = settings as Readonly<Record<string, unknown>>
  const kind = kindOf({
    kind: kindNames.find(one => one === name),
    base_url: typeof baseUrl === 'string' ? baseUrl : undefined,
  })
  const other = (field: string) => ({
    path: [field],
    message: `is for Azure OpenAI, and the kind of this upstream is \`${kind.name}\``,
  })
  if (baseUrl === undefined && kind.baseUrl === undefined)
    return { path: ['base_url'], message: `is missing: an upstream of the kind \`${kind.name}\` has no usual address` }
  if (kind.name !== 'azure' && version !== undefined) return other('api_version')
  if (kind.deployments === true && expose === 'all')
    return {
      path: ['expose'],
      message: 'cannot be `all`: Azure OpenAI shows its deployments to no key, so name those that you have',
    }
  if (!isObject(entra)) return undefined
  if (kind.name !== 'azure') return other('entra')
  if (key !== undefined)
    return { path: ['entra'], message: 'and `api_key` are two ways to say who asks: one is enough' }
  if ((entra.client_secret === undefined) === (entra.token_file === undefined))
    return { path: ['entra'], message: 'needs one of `client_secret` and `token_file`' }
  return undefined
}

/**
 * Azure's two ways: a path that ends with `/openai/v1` is OpenAI's own form, with the deployment in the body; everything else is what
 * stands before `/openai/deployments/…`, which wants a version.
 */
function azurePaths(base: string, apiVersion: string | undefined): Pick<Place, 'path' | 'modelsPath' | 'apiVersion'> {
  if (/\/openai\/v1$/.test(base)) {
    const query = apiVersion === undefined ? '' : `?api-version=${encodeURIComponent(apiVersion)}`
    return { path: path => base + path + query, modelsPath: `${base}/models${query}` }
  }
  const version = apiVersion ?? usualApiVersion
  const query = `?api-version=${encodeURIComponent(version)}`
  const root = base.replace(/\/openai$/, '')
  return {
    path: (path, target) => `${root}/openai/deployments/${encodeURIComponent(target)}${path}${query}`,
    modelsPath: `${root}/openai/models${query}`,
    apiVersion: version,
  }
}

function known(name: KindName): Kind {
  const kind = kinds.get(name)
  if (kind === undefined) throw new RangeError(`There is no kind ${name}.`)
  return kind
}

const isAt = (host: string, end: string): boolean => host === end || host.endsWith(`.${end}`)

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.toLowerCase()
}
