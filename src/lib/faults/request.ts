import { bad, Fault } from './fault.ts'

/** The request, the thing it is about, and the way it came. */
export const requestFaults = {
  // 400: the request
  invalidJson: (detail: string) =>
    bad(
      `We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The Parlance API expects a JSON payload, but what was sent was not valid JSON: ${detail}.)`,
      null,
      null,
      detail,
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
  /** A list's `after` or `before`; the same words for a foreign id and a wrong one. */
  unknownCursor: (param: string, id: string) =>
    bad(`Invalid '${param}': '${id}' is not in this list.`, param, 'invalid_value'),
  idempotencyName: () =>
    bad('An Idempotency-Key is 1 to 255 visible ASCII characters.', null, 'invalid_idempotency_key'),
  /** Stripe's rule: a key stands for one request. */
  idempotencyMismatch: (name: string) =>
    bad(
      `The Idempotency-Key '${name}' was used for another request. Use a new key for each new request.`,
      null,
      'idempotency_key_reused',
    ),
  idempotencyNotKept: (name: string) =>
    bad(
      `The request with the Idempotency-Key '${name}' was answered, but its reply was not kept: it was too large, or showed a secret.`,
      null,
      'idempotency_reply_not_kept',
    ),
  contextLengthExceeded: (numbers: ContextNumbers) =>
    bad(contextMessage(numbers), numbers.subject, 'context_length_exceeded'),
  wrongAbility: (model: string, ability: string) =>
    bad(`The model '${model}' cannot be used here: it does not offer '${ability}'.`, 'model', 'model_not_supported'),

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
  /** The same words for what is missing and for what belongs to somebody else. */
  objectNotFound: (kind: string, id: string) =>
    new Fault({ status: 404, message: `No ${kind} found with id '${id}'.` }),

  oidcOff: () =>
    new Fault({
      status: 404,
      code: 'oidc_not_configured',
      message: 'Nobody signs in here through OpenID Connect: the setting `oidc` is not there.',
    }),

  // 409: the thing, now
  modelBusy: (model: string, why: string) =>
    new Fault({
      status: 409,
      code: 'model_busy',
      message: `The model \`${model}\` cannot be unloaded now: ${why}.`,
      headers: { 'x-should-retry': 'false' },
    }),

  // 409: something else is going on
  idempotencyInUse: (name: string) =>
    new Fault({
      status: 409,
      code: 'idempotency_key_in_use',
      message: `The first request with the Idempotency-Key '${name}' is still running. Try again when it has ended.`,
      headers: { 'retry-after': '1' },
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
}

/** All in tokens; `completion` is what the request reserves for the answer. */
export interface ContextNumbers {
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
