import { bad, Fault, unavailable } from './fault.ts'

/** What upstreams do. */
export const upstreamFaults = {
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
  /** Whoever runs this server has set how much each of them is asked, or they have said themselves that it is enough for now. */
  routeLimited: (model: string, retryAfterSeconds: number) =>
    new Fault({
      status: 429,
      type: 'requests',
      code: 'rate_limit_exceeded',
      message: `All upstreams of the model '${model}' have reached their limits. Please try again in ${retryAfterSeconds}s.`,
      headers: { 'retry-after': String(retryAfterSeconds) },
    }),
  /** For the operator: the caller's own key is fine. */
  upstreamRefusedKey: (model: string, cause: unknown) =>
    unavailable(
      502,
      `The upstream of the model '${model}' refused the key configured for it.`,
      'upstream_refused_key',
      cause,
    ),
  /** Its settings cannot be used as they are: no waiting helps. */
  upstreamUnusable: (upstream: string, cause: unknown) =>
    new Fault({
      status: 503,
      type: 'server_error',
      code: 'upstream_unusable',
      message: `The upstream '${upstream}' cannot be used as it is set up. The operator of this server can see why.`,
      headers: { 'x-should-retry': 'false' },
      cause,
    }),
  /** For the operator: what gives the tokens with which the upstream is asked gave none. */
  upstreamNoToken: (model: string, cause: unknown) =>
    unavailable(
      502,
      `The upstream of the model '${model}' could not be asked: no token for it could be got.`,
      'upstream_no_token',
      cause,
    ),
  /** Nothing is dropped in silence: what this server is known to ignore is not sent. */
  upstreamIgnores: (param: string, model: string, kind: string) =>
    bad(
      `Unsupported parameter: '${param}' would be ignored by the upstream of the model '${model}' (${kind}), and is not sent.`,
      param,
      'unsupported_parameter',
    ),
  /** An error that the upstream itself put into OpenAI's form: passed on with its status and words. */
  upstreamError: (
    status: number,
    error: {
      message: string
      type?: string
      param?: string | null
      code?: string | null
      details?: Readonly<Record<string, unknown>> | undefined
    },
    headers: Record<string, string> = {},
  ) => new Fault({ status, ...error, headers }),
}
