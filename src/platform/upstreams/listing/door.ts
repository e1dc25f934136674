import type { UpstreamPool } from '../../../engines/upstream/index.ts'
import { placeOf } from '../../../engines/upstream/kinds/place.ts'
import { takesStreamOptions } from '../../../engines/upstream/manner.ts'
import { upstreamUrl } from '../../../engines/upstream/pool.ts'
import { secretsOf } from '../../../engines/upstream/refusals.ts'
import type { Line } from '../types.ts'

/** An upstream as it is asked about itself, beside the engines that stand on it. */
export interface UpstreamDoor {
  /** As the settings call it. */
  readonly name: string
  /** Scheme, host and port: no secret, but for the operator alone. */
  readonly origin: string
  readonly hasKey: boolean
  /** What every request carries, the key too: names and values by turns. */
  readonly headers: readonly string[]
  /** What must never be told, although the upstream may say it. */
  readonly secrets: readonly string[]
  /** Where `GET` lists models. */
  readonly listPath: string
  /** The list holds what can be called. Azure OpenAI lists base models where deployments are called, and shows those to no key. */
  readonly listsCallable: boolean
  /** Where a chat with this model goes. */
  chatPath(model: string): string
  /** What asks for usage in a stream; some servers refuse the question and send it all the same. */
  readonly streamOptions: object
  readonly pool: UpstreamPool
  /** Its requests go through a proxy, which looks names up itself. */
  readonly proxied: boolean
}

/** @throws Error in words for the operator when it cannot be asked, because no token is given for it; the reason of the signal */
export async function doorOf(line: Line, signal: AbortSignal): Promise<UpstreamDoor> {
  const { upstream, pool } = line
  const { name, settings } = upstream
  const place = placeOf(settings)
  const url = upstreamUrl(place.baseUrl)
  const { api_key: key } = settings
  const { kind } = place
  const asksForUsage = kind.usageUnasked !== true && takesStreamOptions(place)
  const isAnthropic = kind.name === 'anthropic'
  const credentials = (await line.credentials?.(signal)) ?? (key === undefined ? [] : place.keyHeader(key))
  return {
    name,
    origin: url.origin,
    hasKey: credentials.length > 0,
    headers: [
      ...credentials,
      // docs.anthropic.com/en/api/models-list: the list is of its own API, which has other headers.
      ...(isAnthropic && key !== undefined ? ['x-api-key', key, 'anthropic-version', '2023-06-01'] : []),
      ...['accept', 'application/json, text/event-stream', 'accept-encoding', 'identity'],
      ...['content-type', 'application/json', 'user-agent', 'Parlance'],
    ],
    secrets: secretsOf(url, credentials[1]?.replace(/^Bearer /, '')),
    listPath: isAnthropic ? `${place.modelsPath}?limit=1000` : place.modelsPath,
    listsCallable: place.listsCallable,
    chatPath: model => place.path('/chat/completions', model),
    streamOptions: asksForUsage ? { stream_options: { include_usage: true } } : {},
    pool,
    proxied: pool.proxied === true,
  }
}
