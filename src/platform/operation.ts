import type { TSchema } from 'typebox'
import type { Meter, Sink } from '../engines/engine.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Caller } from './keys.ts'
import type { Models, Target } from './models.ts'

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
  /** One sentence for the API documentation. */
  readonly summary: string
  /** The request body; absent where there is none. */
  readonly body?: TSchema
  /** The reply that is not streamed. */
  readonly reply: TSchema
  /** One event of the stream, where the operation can stream. */
  readonly event?: TSchema
  /** What a key must be allowed to do. */
  readonly scope: 'model.read' | 'model.request' | 'model.write'
}

/** An operation that costs nothing. */
export interface PlainOperation<Body = unknown, Params extends string = string> extends Endpoint {
  readonly bills: 'nothing'
  run(input: Input<Body, Params>, context: Context): Promise<Reply> | Reply
}

/** An operation that asks a model, named in the body's `model`, and is charged by tokens. */
export interface ModelOperation<Body = unknown, Params extends string = string> extends Endpoint {
  readonly bills: 'tokens'
  /** `path`: the path's `{model}` names the model; the body gets it as its `model` before it is checked. */
  readonly modelIn?: 'path'
  run(input: Input<Body, Params>, context: ModelContext): Promise<Reply> | Reply
}

export type Operation<Body = unknown, Params extends string = string> =
  | PlainOperation<Body, Params>
  | ModelOperation<Body, Params>

/** Checked input. */
export interface Input<Body, Params extends string> {
  body: Body
  params: Record<Params, string>
}

/** Everything an operation may touch; made per request, nothing is global. */
export interface Context {
  caller: Caller
  wants: 'bytes' | 'values'
  models: Models
  clock: Clock
  ids: Ids
  random: Random
  signal: AbortSignal
  log: Log
}

export interface ModelContext extends Context {
  /** What the request's `model` led to. */
  target: Target
  meter: Meter
}

/** A reply before it is written: one JSON value, JSON that already is bytes, events to encode, or an event stream that already is bytes. */
export type Reply =
  | { kind: 'json'; value: object }
  | { kind: 'bytes'; bytes: Buffer }
  | { kind: 'events'; events: AsyncIterable<object> }
  | { kind: 'relay'; pipe(sink: Sink): Promise<void> }

/** Declares an operation; exists so that types are inferred and declarations look alike. */
export function operation<Body, Params extends string = never>(
  declaration: Operation<Body, Params>,
): Operation<Body, Params> {
  return declaration
}
