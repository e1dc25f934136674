import type { RelayPath } from '../engine.ts'
import { type KindName, type Place, type Prepare, placeOf, preparation } from './kinds/index.ts'
import { isObject } from './values.ts'

/** What gives the tokens with which an upstream is asked, in place of a key. */
export interface Credential {
  /** One that can be used now, if there is one: asked first, without waiting. */
  current(): string | undefined
  /** Waits for one; rejects when there is none, or with the reason of the signal. */
  token(signal: AbortSignal): Promise<string>
  /** The upstream did not take this one. */
  refused(token: string): void
}

export interface MannerOptions {
  name: string
  target: string
  baseUrl: string
  /** Default: as the host tells. */
  kind?: KindName
  /** Of Azure OpenAI. */
  apiVersion?: string
  apiKey?: string
  /** Sends what the upstream is known to ignore. */
  lenient?: boolean
  headers?: Readonly<Record<string, string>>
  version: string
}

/** How the requests of one model are put for its upstream: where, with what, in which words. */
export class Manner {
  readonly place: Place
  readonly #target: string
  readonly #prepare: Prepare | undefined
  readonly #asksForUsage: boolean
  readonly #headers: { readonly whole: string[]; readonly streamed: string[] }
  readonly #paths: Readonly<Record<RelayPath, string>>

  /** @throws TypeError for a base URL that is none */
  constructor(options: MannerOptions) {
    const { name, target, baseUrl, kind, apiVersion, apiKey, lenient = false } = options
    const place = placeOf({ kind, base_url: baseUrl, api_version: apiVersion })
    this.place = place
    this.#target = target
    this.#asksForUsage = place.kind.usageUnasked !== true && takesStreamOptions(place)
    this.#prepare = preparation(place.kind, { name, target, lenient, streamOptions: this.#asksForUsage })
    const key = apiKey === undefined ? [] : place.keyHeader(apiKey)
    this.#headers = {
      whole: [...key, ...headersFor(options, 'application/json')],
      streamed: [...key, ...headersFor(options, 'text/event-stream')],
    }
    this.#paths = {
      '/chat/completions': place.path('/chat/completions', target),
      '/completions': place.path('/completions', target),
      '/embeddings': place.path('/embeddings', target),
    }
  }

  path(path: RelayPath): string {
    return this.#paths[path]
  }

  /** What every request carries, whoever the caller is. */
  headers(streamed: boolean, token: string | undefined): string[] {
    const headers = streamed ? this.#headers.streamed : this.#headers.whole
    return token === undefined ? headers : ['authorization', `Bearer ${token}`, ...headers]
  }

  /** The request for the upstream: its own model name, and usage for the meter. @throws Fault 400 for what the upstream would ignore */
  payload(path: RelayPath, request: object): Buffer {
    const asked = this.#prepare === undefined ? request : this.#prepare(path, { ...request })
    const usage =
      this.#asksForUsage && isStreamed(request)
        ? { stream_options: { ...streamOptions(request), include_usage: true } }
        : {}
    return Buffer.from(JSON.stringify({ ...asked, model: this.#target, ...usage }))
  }
}

/** Azure OpenAI has them since the version 2024-08-01-preview (community.openai.com/t/738156); without, our own tokens count. */
export const takesStreamOptions = ({ apiVersion }: Place): boolean =>
  apiVersion === undefined || !/^\d{4}-/.test(apiVersion) || apiVersion >= '2024-08-01'

function headersFor({ version, headers = {} }: MannerOptions, accept: string): string[] {
  return [
    ...['content-type', 'application/json'],
    ...['accept', accept],
    ...['accept-encoding', 'identity'],
    ...['user-agent', `Parlance/${version}`],
    ...Object.entries(headers).flat(),
  ]
}

export const isStreamed = (request: object): boolean => 'stream' in request && request.stream === true

export const asksForUsage = (request: object): boolean => streamOptions(request).include_usage === true

/** How many replies a request asks for: `n` for each prompt. */
export function choicesOf(request: object): number {
  const n = 'n' in request && typeof request.n === 'number' ? request.n : 1
  const prompts = 'prompt' in request && Array.isArray(request.prompt) ? request.prompt : []
  return n * (typeof prompts[0] === 'number' ? 1 : Math.max(1, prompts.length))
}

const streamOptions = (request: object): Record<string, unknown> =>
  'stream_options' in request && isObject(request.stream_options) ? request.stream_options : {}
