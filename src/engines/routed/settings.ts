import Type, { type Static } from 'typebox'
import { policyNames } from './policies.ts'
import { type RoutedTarget, targetsMax } from './target.ts'

/** How a routed model is written in the settings. */

const limit = (maximum: number, description: string) => Type.Integer({ minimum: 1, maximum, description })
const usd = (description: string) => Type.Number({ minimum: 0, maximum: 1_000_000, description })

export const TargetSettings = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'A name under `upstreams`.' }),
    name: Type.Optional(Type.String({ minLength: 1, description: 'The model’s name there. Default: its name here.' })),
    weight: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000,
        description: 'How often it is asked beside the others, under `policy: weighted`. Default: 1.',
      }),
    ),
    context: Type.Optional(
      limit(100_000_000, 'Tokens per request. What is too long for another target goes to those that take more.'),
    ),
    price: Type.Optional(
      Type.Object(
        {
          input: usd('USD per million input tokens.'),
          output: Type.Optional(usd('USD per million output tokens. Default: 0.')),
        },
        {
          additionalProperties: false,
          description: 'What it costs you, for `policy: cost`. Callers pay the `price` of the model.',
        },
      ),
    ),
    first_byte_timeout_ms: Type.Optional(
      limit(86_400_000, 'Until the answer begins; then others are asked. Default: that of the upstream.'),
    ),
    concurrent: Type.Optional(limit(1_000_000, 'Requests that run there at once.')),
    requests_per_minute: Type.Optional(limit(100_000_000, 'Requests that are sent there within any minute.')),
    tokens_per_minute: Type.Optional(
      limit(100_000_000_000, 'When so many tokens were spent there within a minute, nothing new is sent.'),
    ),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 4096, pattern: '^[\\x20-\\x7e]*$' }), {
        writeOnly: true, // they may hold keys
        description: 'Headers that its requests carry, up to 32. Write `${NAME}` to read one from the environment.',
      }),
    ),
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Fields that take the place of those in the request, up to 16 KiB of JSON.',
      }),
    ),
  },
  { additionalProperties: false },
)

/** Beside the `price`, which every model has. */
export const routeSettings = {
  targets: Type.Array(TargetSettings, {
    minItems: 1,
    maxItems: targetsMax,
    description: 'Models of upstreams that answer for it.',
  }),
  policy: Type.Optional(
    Type.Enum([...policyNames], {
      type: 'string',
      description:
        'Who is asked first. `priority`: the first of the list. `weighted`: by weight, at random. `latency`: whose replies begin soonest. `cost`: the cheapest. Default: `priority`.',
    }),
  ),
  sticky: Type.Optional(
    Type.Boolean({
      description:
        'Conversations stay with their target, for the sake of its prompt cache. With `policy: weighted`. Default: false.',
    }),
  ),
  deadline_ms: Type.Optional(
    limit(86_400_000, 'No target is asked later than so long after the request came. Default: 600000.'),
  ),
}

const Route = Type.Object(routeSettings)

type TargetConfig = Static<typeof TargetSettings>
type RouteConfig = Static<typeof Route>

/** In the words of the engine. */
export function routeOptions({ policy, sticky, deadline_ms: deadlineMs }: RouteConfig) {
  return {
    ...(policy !== undefined && { policy }),
    ...(sticky !== undefined && { sticky }),
    ...(deadlineMs !== undefined && { deadlineMs }),
  }
}

/** The same, without what its engine must be made for. */
export function targetOptions(target: TargetConfig): Omit<RoutedTarget, 'engine' | 'model'> {
  const { upstream, weight, context: contextTokens, price, concurrent } = target
  const { requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute } = target
  return {
    upstream,
    ...(weight !== undefined && { weight }),
    ...(contextTokens !== undefined && { contextTokens }),
    ...(price !== undefined && { price }),
    limits: {
      ...(concurrent !== undefined && { concurrent }),
      ...(requestsPerMinute !== undefined && { requestsPerMinute }),
      ...(tokensPerMinute !== undefined && { tokensPerMinute }),
    },
  }
}

/** What types cannot say: where the problem is, and a sentence without its subject. Undefined: nothing is wrong. */
export function routeProblem(
  { targets, policy = 'priority', sticky }: RouteConfig,
  upstreams: Readonly<Record<string, unknown>>,
): { path: string[]; message: string } | undefined {
  if (sticky === true && policy !== 'weighted')
    return { path: ['sticky'], message: 'needs `policy: weighted`: the other policies choose for themselves' }
  if (policy === 'weighted' && targets.every(({ weight }) => weight === 0))
    return { path: ['targets'], message: 'all have the weight 0' }
  for (const [place, target] of targets.entries()) {
    const path = ['targets', String(place)]
    if (!Object.hasOwn(upstreams, target.upstream))
      return {
        path: [...path, 'upstream'],
        message: `names the upstream \`${target.upstream}\`, which is not under \`upstreams\``,
      }
    const headers = headersProblem(target.headers ?? {})
    if (headers !== undefined) return { path: [...path, 'headers'], message: headers }
    const body = bodyProblem(target.body ?? {})
    if (body !== undefined) return { path: [...path, 'body'], message: body }
  }
  return undefined
}

const headersMax = 32
const bodyBytesMax = 16_384

/** They belong to the connection, to what is sent, or to `api_key`. */
const ownHeaders =
  /^(?:accept|accept-encoding|authorization|connection|content-encoding|content-length|content-type|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent)$/i

function headersProblem(headers: Readonly<Record<string, string>>): string | undefined {
  const names = Object.keys(headers)
  if (names.length > headersMax) return `are at most ${headersMax}`
  const strange = names.find(name => !/^[\w!#$%&'*+.^`|~-]{1,256}$/.test(name))
  if (strange !== undefined) return `hold '${strange}', which is no name of a header`
  const own = names.find(name => ownHeaders.test(name))
  return own === undefined ? undefined : `hold '${own}', which is not theirs to set`
}

/** Fields by which a request is understood, limited and charged before anybody knows which target answers. */
const ownFields = [
  ...['model', 'messages', 'prompt', 'suffix', 'input', 'stream', 'stream_options', 'encoding_format', 'dimensions'],
  ...['n', 'best_of', 'max_tokens', 'max_completion_tokens', 'tools', 'functions', 'response_format', 'store'],
]

function bodyProblem(body: Readonly<Record<string, unknown>>): string | undefined {
  if (Buffer.byteLength(JSON.stringify(body)) > bodyBytesMax) return `is at most ${bodyBytesMax} bytes of JSON`
  const own = ownFields.find(name => Object.hasOwn(body, name))
  return own === undefined ? undefined : `holds \`${own}\`, which requests alone say`
}
