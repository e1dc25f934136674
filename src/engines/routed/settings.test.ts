import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeOptions, routeProblem, targetOptions } from './settings.ts'

type Route = Parameters<typeof routeProblem>[0]
type TargetConfig = Route['targets'][number]

const upstreams = { east: {} }
const target = (more: Partial<TargetConfig>): Route => ({
  targets: [{ upstream: 'east' }, { upstream: 'east', ...more }],
})

const problems: [name: string, route: Route, path: string, says: RegExp][] = [
  ['an unknown upstream', target({ upstream: 'toString' }), 'targets.1.upstream', /names the upstream `toString`/],
  ['sticky without weights', { ...target({}), sticky: true }, 'sticky', /needs `policy: weighted`/],
  [
    'no weight at all',
    { policy: 'weighted', targets: [{ upstream: 'east', weight: 0 }] },
    'targets',
    /all have the weight 0/,
  ],
  ['a header of the connection', target({ headers: { Host: 'x' } }), 'targets.1.headers', /'Host'/],
  ['the key as a header', target({ headers: { authorization: 'x' } }), 'targets.1.headers', /'authorization'/],
  ['what is no header', target({ headers: { 'a b': 'x' } }), 'targets.1.headers', /no name of a header/],
  [
    'too many headers',
    target({ headers: Object.fromEntries(Array.from({ length: 33 }, (_, place) => [`x-${place}`, 'y'])) }),
    'targets.1.headers',
    /at most 32/,
  ],
  ['a body beyond what was reserved', target({ body: { max_tokens: 9 } }), 'targets.1.body', /`max_tokens`/],
  ['a body that streams', target({ body: { stream: true } }), 'targets.1.body', /`stream`/],
  ['a body that is too large', target({ body: { a: 'x'.repeat(16_384) } }), 'targets.1.body', /16384 bytes/],
]
for (const [name, route, path, says] of problems)
  test(`a route is refused for ${name}`, () => {
    const problem = routeProblem(route, upstreams)
    assert.equal(problem?.path.join('.'), path)
    assert.match(problem.message, says)
  })

test('a route without a problem, in the words of the engine', () => {
  const one: TargetConfig = {
    ...{ upstream: 'east', name: 'there', weight: 2, context: 8, price: { input: 1 } },
    ...{ concurrent: 3, requests_per_minute: 4, tokens_per_minute: 5 },
    ...{ headers: { 'api-key': 'k' }, body: { service_tier: 'flex' } },
  }
  const route: Route = { policy: 'weighted', sticky: true, deadline_ms: 9, targets: [one, { upstream: 'east' }] }
  assert.equal(routeProblem(route, upstreams), undefined)
  assert.deepEqual(routeOptions(route), { policy: 'weighted', sticky: true, deadlineMs: 9 })
  assert.deepEqual(targetOptions(one), {
    ...{ upstream: 'east', weight: 2, contextTokens: 8, price: { input: 1 } },
    limits: { concurrent: 3, requestsPerMinute: 4, tokensPerMinute: 5 },
  })
  assert.deepEqual(targetOptions({ upstream: 'east' }), { upstream: 'east', limits: {} })
  assert.deepEqual(routeOptions({ targets: [] }), {})
})
