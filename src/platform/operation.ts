import type { TSchema } from 'typebox'
import type { Meter, Route, Sink } from '../engines/engine.ts'
import type { Clock } from '../lib/clock.ts'
import type { Fault } from '../lib/faults.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Store } from '../store/store.ts'
import type { Access, Caller } from './access.ts'
import type { Origin } from './audit.ts'
import type { Batches } from './batches/index.ts'
import type { StartingCredit } from './credit/starting.ts'
import type { Files } from './files/index.ts'
import type { Form, TakenFile } from './forms.ts'
import type { Keys } from './keys.ts'
import type { Ledger, Worst } from './ledger/types.ts'
import type { Limits } from './limits/types.ts'
import type { Models, Target } from './models.ts'
import type { Prices } from './prices.ts'
import type { RouteBook } from './routes/index.ts'
import type { SignIn } from './sign-in/index.ts'
import type { UpstreamBook } from './upstreams/index.ts'

/**
 * An endpoint as data. From the list of operations come routes, validation, types, OpenAPI and the Azure paths: nothing about an
 * endpoint is written twice.
 */
interface Endpoint {
  /** Resource and verb, e.g. `embeddings.create`. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With parameters in braces, e.g. `/v1/models/{model}`. */
  readonly path: `/v1/${string}`
  /** Where older clients look for the same; not told in the documentation. */
  readonly aliases?: readonly `/${string}`[]
  /** One sentence for the API documentation. */
  readonly summary: string
  /** The request body; absent where there is none. */
  readonly body?: TSchema
  /** Unknown fields of the body are refused, at every depth: where nobody else could know them, and nobody may set what is not theirs. */
  readonly strict?: true
  /** The parameters behind the question mark; without it they are not looked at. */
  readonly query?: TSchema
  /** The reply that is not streamed. */
  readonly reply: TSchema
  /** The type of a reply that is not JSON. */
  readonly replyType?: string
  /** The reply is a redirect: status 302 with a `location`. */
  readonly redirects?: true
  /** The reply shows a secret, this once: it is kept nowhere, not for an `Idempotency-Key` either. */
  readonly showsSecret?: true
  /** One event of the stream, where the operation can stream. */
  readonly event?: TSchema
  /** What a key must be allowed to do; `anyone` and `person` for what has nothing to do with keys. */
  readonly scope: Access
  /** Owners of the project that the path names as `{project_id}` may do it as well as those of the organisation. */
  readonly projectOwners?: boolean
}

/** An operation that costs nothing. */
export interface PlainOperation<Body = unknown, Params extends string = string, Query = unknown> extends Endpoint {
  readonly bills: 'nothing'
  readonly form?: never
  run(input: Input<Body, Params, Query>, context: Context): Promise<Reply> | Reply
}

/** An operation that costs nothing and takes a form with a file; `body` is the fields beside it. */
export interface FormOperation<Body = unknown, Params extends string = string, Query = unknown> extends Endpoint {
  readonly bills: 'nothing'
  readonly form: Form
  run(input: Input<Body, Params, Query>, context: Context): Promise<Reply> | Reply
}

/** An operation that asks a model, named in the body's `model`, and is charged by tokens. */
export interface ModelOperation<Body = unknown, Params extends string = string, Query = unknown> extends Endpoint {
  readonly bills: 'tokens'
  readonly form?: never
  /** What a request may come to at most. `bytes`: of its body as JSON, never fewer than the tokens in it. */
  worst(body: Body, asked: { bytes: number; target: Target; models: Models; signal: AbortSignal }): Worst
  /** Batches may have lines for it. */
  readonly batch?: true
  /** A reply may serve equal requests, where the settings keep replies (`response-cache`). */
  readonly repeats?: true
  /** `path`: the path's `{model}` names the model; the body gets it as its `model` before it is checked. */
  readonly modelIn?: 'path'
  run(input: Input<Body, Params, Query>, context: ModelContext): Promise<Reply> | Reply
}

export type Operation<Body = unknown, Params extends string = string, Query = unknown> =
  | PlainOperation<Body, Params, Query>
  | FormOperation<Body, Params, Query>
  | ModelOperation<Body, Params, Query>

/** Checked input. */
export interface Input<Body, Params extends string, Query> {
  body: Body
  params: Record<Params, string>
  query: Query
  /** Of an operation that takes a form: `execute` has seen to it that it is there. */
  file?: TakenFile
}

/** What the door sees of a browser; signing in is about it. */
export interface Visit {
  /** Under which address it reaches this server, such as `https://ai.example.com`. */
  readonly origin: string
  /** Path and query, as they came. */
  readonly url: string
  /** Its `Cookie` header. */
  readonly cookies: string | undefined
}

/** Everything an operation may touch; made per request, nothing is global. */
export interface Context {
  caller: Caller
  from: Origin
  /** Undefined at doors that no browser comes through. */
  visit: Visit | undefined
  wants: 'bytes' | 'values'
  models: Models
  upstreams: UpstreamBook
  routes: RouteBook
  store: Store
  files: Files
  batches: Batches
  keys: Keys
  ledger: Ledger
  limits: Limits
  prices: Prices
  /** What new organisations begin with. */
  startingCredit?: StartingCredit
  signIn: SignIn
  clock: Clock
  ids: Ids
  random: Random
  signal: AbortSignal
  log: Log
  /** Filled in on the way, where somebody wants to know which one the request took. */
  route?: Route | undefined
}

export interface ModelContext extends Context {
  /** What the request's `model` led to. */
  target: Target
  meter: Meter
  /** At most so many tokens may be generated for each choice, because no more money is left; null: as the request says. */
  outputMax: number | null
}

/**
 * A reply before it is written: one JSON value, JSON that already is bytes, events to encode, an event stream that already is bytes, or
 * content of another type, which is closed by whoever writes it, read or not.
 */
export type Reply = (
  | { kind: 'json'; value: object }
  | { kind: 'bytes'; bytes: Buffer }
  | { kind: 'events'; events: AsyncIterable<object> }
  | { kind: 'relay'; pipe(sink: Sink): Promise<Fault | undefined> }
  | { kind: 'content'; type: string; sizeBytes: number; bytes: AsyncIterable<Uint8Array>; close(): Promise<void> }
) & {
  /** Names and values by turns. */
  headers?: readonly string[]
  /** Of a reply in one piece. Default: 200. */
  status?: number
}

/** Declares an operation; exists so that types are inferred and declarations look alike. */
export function operation<Body, Params extends string = never, Query = unknown>(
  declaration: FormOperation<Body, Params, Query>,
): FormOperation<Body, Params, Query>
export function operation<Body, Params extends string = never, Query = unknown>(
  declaration: Operation<Body, Params, Query>,
): Operation<Body, Params, Query>
export function operation<Body, Params extends string = never, Query = unknown>(
  declaration: Operation<Body, Params, Query>,
): Operation<Body, Params, Query> {
  return declaration
}
