/**
 * The table of faults: every error a caller can meet, with its status, type, code and wording. Thrown anywhere, rendered once
 * (`http/errors.ts`), in OpenAI's form. The public message never holds internals: those go into `cause`, which only the log sees.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly code: string | null
  /** Extra response headers, e.g. `retry-after`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(row: FaultRow) {
    super(row.message, row.cause === undefined ? undefined : { cause: row.cause })
    this.status = row.status
    this.type = row.type ?? 'invalid_request_error'
    this.param = row.param ?? null
    this.code = row.code ?? null
    this.headers = row.headers ?? {}
  }

  /** The body OpenAI's clients read: all four keys, always. */
  body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } }
  }
}

interface FaultRow {
  status: number
  message: string
  type?: string
  param?: string | null
  code?: string | null
  headers?: Record<string, string>
  cause?: unknown
}

const bad = (message: string, param: string | null, code: string | null, cause?: unknown) =>
  new Fault({ status: 400, message, param, code, cause })

const unavailable = (status: number, message: string, code: string | null, cause?: unknown) =>
  new Fault({ status, type: 'server_error', message, code, cause })

export const fault = {
  // 400: the request
  invalidJson: (detail: string) =>
    bad(
      `We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The Parlance API expects a JSON payload, but what was sent was not valid JSON: ${detail}.)`,
      null,
      null,
    ),
  bodyNotObject: () => bad('The body of the request must be a JSON object.', null, null),
  tooDeep: (maxDepth: number) =>
    bad(`The JSON body is nested too deeply: at most ${maxDepth} levels are accepted.`, null, 'json_too_deep'),
  tooManyKeys: (maxKeys: number) =>
    bad(`The JSON body holds too many keys: at most ${maxKeys} are accepted.`, null, 'json_too_many_keys'),
  missingParameter: (param: string) =>
    bad(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter'),
  unknownParameter: (param: string) =>
    bad(`Unrecognized request argument supplied: ${param}`, param, 'unknown_parameter'),
  unsupportedParameter: (param: string, model: string) =>
    bad(
      `Unsupported parameter: '${param}' is not supported with the model '${model}'.`,
      param,
      'unsupported_parameter',
    ),
  unsupportedValue: (param: string, message: string) => bad(message, param, 'unsupported_value'),
  invalidType: (param: string, message: string) => bad(message, param, 'invalid_type'),
  invalidValue: (param: string, message: string, code = 'invalid_value') => bad(message, param, code),
  contextLengthExceeded: (numbers: ContextNumbers) =>
    bad(contextMessage(numbers), numbers.subject, 'context_length_exceeded'),
  wrongAbility: (model: string, ability: string) =>
    bad(`The model '${model}' cannot be used here: it does not offer '${ability}'.`, 'model', 'model_not_supported'),

  // 401, 403: the caller
  noKey: () =>
    new Fault({
      status: 401,
      message:
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). `parlance keys create` makes a new one.",
    }),
  wrongKey: (masked: string) =>
    new Fault({
      status: 401,
      code: 'invalid_api_key',
      message: `Incorrect API key provided: ${masked}. \`parlance keys list\` shows the keys of this server, \`parlance keys create\` makes a new one.`,
    }),
  /** The header names an organisation or project that the key does not belong to. */
  wrongScope: (kind: 'organization' | 'project', name: string) =>
    new Fault({
      status: 401,
      code: `mismatched_${kind}`,
      message: `The key does not belong to the ${kind} '${name}'. Leave out the OpenAI-${kind === 'organization' ? 'Organization' : 'Project'} header, or send the one of the key.`,
    }),

  modelKept: (model: string, why: string) =>
    new Fault({
      status: 403,
      code: 'model_not_deletable',
      message: `The model \`${model}\` cannot be deleted: ${why}.`,
    }),

  // 404, 405: the thing
  unknownUrl: (method: string, path: string, hint = '') =>
    new Fault({ status: 404, message: `Invalid URL (${method} ${path})${hint === '' ? '' : `. ${hint}`}` }),
  wrongMethod: (method: string, path: string, allowed: string) =>
    new Fault({
      status: 405,
      code: 'method_not_supported',
      message: `Not allowed to ${method} on ${path}. Allowed: ${allowed}. (HINT: Perhaps you meant to use a different HTTP method?)`,
      headers: { allow: allowed },
    }),
  modelNotFound: (model: string) =>
    new Fault({
      status: 404,
      code: 'model_not_found',
      message: `The model \`${model}\` does not exist or you do not have access to it.`,
    }),

  // 4xx: the transport
  bodyTooLarge: (maxBytes: number) =>
    new Fault({
      status: 413,
      code: 'request_too_large',
      message: `The request body is too large: at most ${maxBytes} bytes are accepted.`,
    }),
  unsupportedMediaType: (type: string) =>
    new Fault({
      status: 415,
      code: 'unsupported_media_type',
      message: `Unsupported content type '${type}'. Send 'application/json'.`,
    }),
  badRequest: (message: string, cause?: unknown) => bad(message, null, null, cause),

  // 5xx: this side
  internal: (cause: unknown) =>
    unavailable(500, 'The server had an error while processing your request. Sorry about that!', null, cause),
  modelLoadFailed: (model: string, reason: string, cause?: unknown) =>
    unavailable(500, `The model '${model}' could not be loaded: ${reason}`, 'model_load_failed', cause),
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
  upstreamUnreachable: (model: string, cause: unknown) =>
    unavailable(502, `The upstream of the model '${model}' could not be reached.`, 'upstream_unreachable', cause),
  upstreamInvalid: (model: string, cause: unknown) =>
    unavailable(
      502,
      `The upstream of the model '${model}' sent an answer that could not be understood.`,
      'upstream_invalid_response',
      cause,
    ),
  upstreamTimeout: (model: string, cause?: unknown) =>
    unavailable(504, `The upstream of the model '${model}' did not answer in time.`, 'upstream_timeout', cause),
  upstreamInterrupted: (model: string, cause?: unknown) =>
    unavailable(
      502,
      `The upstream of the model '${model}' ended its reply before it was complete.`,
      'upstream_interrupted',
      cause,
    ),
  upstreamFailed: (model: string, cause: unknown) =>
    unavailable(502, `The upstream of the model '${model}' failed to answer.`, 'upstream_failed', cause),
  upstreamUnavailable: (model: string, headers: Record<string, string>, cause: unknown) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'upstream_unavailable',
      message: `The upstream of the model '${model}' is down or overloaded. Please try again later.`,
      headers,
      cause,
    }),
  /** For the operator: the caller's own key is fine. */
  upstreamRefusedKey: (model: string, cause: unknown) =>
    unavailable(
      502,
      `The upstream of the model '${model}' refused the key configured for it.`,
      'upstream_refused_key',
      cause,
    ),
  /** An error that the upstream itself put into OpenAI's form: passed on with its status and words. */
  upstreamError: (
    status: number,
    error: { message: string; type?: string; param?: string | null; code?: string | null },
    headers: Record<string, string> = {},
  ) => new Fault({ status, ...error, headers }),
} satisfies Record<string, (...details: never[]) => Fault>

/** All in tokens; `completion` is what the request reserves for the answer. */
interface ContextNumbers {
  limit: number
  prompt: number
  completion?: number
  subject: 'messages' | 'prompt' | 'input' | 'documents'
}

/** Client programs match both wordings with regular expressions (wire.md section 4). */
function contextMessage({ limit, prompt, completion, subject }: ContextNumbers): string {
  const asked =
    completion === undefined
      ? `your ${subject} resulted in ${prompt} tokens. Please reduce the length of the ${subject}.`
      : `you requested ${prompt + completion} tokens (${prompt} in the ${subject}, ${completion} in the completion). Please reduce the length of the ${subject} or completion.`
  return `This model's maximum context length is ${limit} tokens. However, ${asked}`
}
