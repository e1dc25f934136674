import { inWords } from '../bytes.ts'
import { Fault, unavailable } from './fault.ts'

/** This side: models, memory and the store. */
export const servingFaults = {
  // 5xx: this side
  internal: (cause: unknown) =>
    unavailable(500, 'The server had an error while processing your request. Sorry about that!', null, cause),
  modelLoadFailed: (model: string, reason: string, cause?: unknown) =>
    unavailable(500, `The model '${model}' could not be loaded: ${reason}`, 'model_load_failed', cause),
  /** No waiting helps: somebody has to change a setting. */
  modelTooLarge: (model: string, needsBytes: number, budgetBytes: number) =>
    new Fault({
      status: 500,
      type: 'server_error',
      code: 'model_too_large',
      message: `The model '${model}' needs ${inWords(needsBytes)} of memory, and all local models together may take ${inWords(budgetBytes)}. Lower its settings \`context\` or \`slots\`, or raise the setting \`model_memory_bytes\`.`,
      headers: { 'x-should-retry': 'false' },
    }),
  noMemoryNow: (model: string, retryAfterSeconds: number) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'engine_overloaded',
      message: `The model '${model}' is not loaded, and the memory for it is taken by models that are busy. Please try again in ${retryAfterSeconds}s.`,
      headers: { 'retry-after': String(retryAfterSeconds) },
    }),
  engineCrashed: (model: string, cause?: unknown) =>
    unavailable(
      500,
      `The process of the model '${model}' ended unexpectedly. It is started again with the next request.`,
      'engine_crashed',
      cause,
    ),
  overloaded: (model: string, retryAfterSeconds: number) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'engine_overloaded',
      message: `The model '${model}' is busy and its queue is full. Please try again in ${retryAfterSeconds}s.`,
      headers: { 'retry-after': String(retryAfterSeconds) },
    }),
  /** The engine ends under its requests: the model is removed or replaced, or the server stops. */
  modelClosed: (model: string) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'model_closed',
      message: `The model '${model}' was closed while the request was running: it was removed or replaced, or the server is shutting down.`,
      headers: { 'retry-after': '2' },
    }),
  draining: () =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'shutting_down',
      message: 'The server is shutting down. Please try again in a moment.',
      headers: { 'retry-after': '2' },
    }),
  storeFailed: (cause: unknown) =>
    unavailable(500, 'The server could not read or write its data. Sorry about that!', 'store_failed', cause),
  storeFull: (cause: unknown) =>
    unavailable(
      507,
      'The server has no room left to store data. Nothing of this request was stored.',
      'insufficient_storage',
      cause,
    ),
  storeBusy: (cause: unknown) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'store_busy',
      message: 'The store of the server is busy. Please try again in a moment.',
      headers: { 'retry-after': '1' },
      cause,
    }),
  secretsUnavailable: (cause: unknown) =>
    unavailable(
      500,
      'The server cannot encrypt secrets: the key for them cannot be read or made. Its log says why. Nothing was stored.',
      'secrets_unavailable',
      cause,
    ),
  /** What HTTP says where `only-if-cached` finds nothing (RFC 9111, section 5.2.1.7). */
  notCached: () =>
    new Fault({
      status: 504,
      type: 'server_error',
      code: 'not_cached',
      message:
        'The request asks for a reply that is kept already (`cache-control: only-if-cached`), and there is none.',
      headers: { 'x-should-retry': 'false' },
    }),
  /** One of several readers of one stream. */
  readTooSlowly: () =>
    unavailable(
      503,
      'The stream was read too slowly: others wait for the same reply. Please try again.',
      'stream_read_too_slowly',
    ),
  oidcUnavailable: (cause: unknown) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'oidc_unavailable',
      message: 'The provider of identities could not be reached, or answered in a way that could not be understood.',
      headers: { 'retry-after': '5' },
      cause,
    }),
}
