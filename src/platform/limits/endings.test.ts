import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Type from 'typebox'
import type { Sink } from '../../engines/engine.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { terminal } from '../audit.ts'
import { testCaller } from '../caller.fixture.ts'
import { execute } from '../execute.ts'
import { ensureHome } from '../home.ts'
import type { Ledger } from '../ledger/types.ts'
import { makeModels, type Target } from '../models.ts'
import type { ModelContext, ModelOperation, Reply } from '../operation.ts'
import { free } from '../prices.ts'
import { testServices } from '../services.fixture.ts'
import { makeLimits } from './index.ts'
import { limitColumns } from './kinds.ts'

const target: Target = {
  name: 'm',
  ownedBy: 'test',
  created: 1,
  price: free,
  abilities: new Set(['chat']),
  open: () => assert.fail('no engine is needed'),
}
const services = await testServices(makeModels([target], {}))
const { organizationId } = await ensureHome(services)
await services.store.write(
  services.store.build.insertInto('rate_limits').values({
    ...Object.fromEntries(limitColumns.map(column => [column, null])),
    ...{ organization_id: organizationId, subject: 'organization', subject_id: organizationId, model: '*' },
    ...{ requests_per_minute: null, requests_per_day: null, tokens_per_minute: 1000, tokens_per_day: null },
    ...{ images_per_minute: null, concurrent_requests: 1, updated_at: 1 },
  }),
)
const limits = await makeLimits({ ...services, log: silentLog })
after(async () => {
  limits.close()
  await services.close()
})

async function* events(count: number, end?: Error): AsyncGenerator<object> {
  for (let event = 0; event < count; event++) yield { event }
  if (end !== undefined) throw end
}

/** One request from its admission on; `run` is what the operation does. */
function ask(
  run: (context: ModelContext) => Promise<Reply> | Reply,
  more: { ledger?: Ledger; signal?: AbortSignal } = {},
) {
  const operation: ModelOperation = {
    ...{ id: 'test.ask', method: 'POST', path: '/v1/test', summary: '', bills: 'tokens', scope: 'model.request' },
    body: Type.Object({ model: Type.String() }),
    reply: Type.Object({}),
    worst: () => ({ inputTokens: 400, outputTokens: 500, choices: 1 }),
    run: (_, context) => run(context),
  }
  const { signal = new AbortController().signal, ledger = services.ledger } = more
  return execute(
    operation,
    {
      ...{ body: { model: 'm' }, bytes: 15, params: {}, query: {}, wants: 'values', from: terminal, signal },
      caller: testCaller({ organizationId }),
    },
    { ...services, limits, ledger },
  )
}

const json: Reply = { kind: 'json', value: {} }
const sink = {} as Sink // never written to

async function readAll(reply: Reply): Promise<void> {
  assert.ok(reply.kind === 'events')
  for await (const _ of reply.events);
}
const refused = (error: unknown) => error instanceof Fault && error.status === 429

const endings: [name: string, end: () => Promise<unknown>][] = [
  ['a reply', () => ask(() => json)],
  ['an error', () => assert.rejects(ask(() => Promise.reject(new Error('no'))))],
  ['a fault', () => assert.rejects(ask(() => Promise.reject(fault.modelNotFound('m'))))],
  ['a stream that is read to its end', async () => readAll(await ask(() => ({ kind: 'events', events: events(3) })))],
  [
    'a stream that fails at once',
    () => assert.rejects(ask(() => ({ kind: 'events', events: events(0, new Error('no')) }))),
  ],
  [
    'a stream that fails later',
    async () => assert.rejects(readAll(await ask(() => ({ kind: 'events', events: events(2, new Error('no')) })))),
  ],
  [
    'a stream that is left',
    async () => {
      const reply = await ask(() => ({ kind: 'events', events: events(9) }))
      assert.ok(reply.kind === 'events')
      for await (const _ of reply.events) break
    },
  ],
  [
    'a relay',
    async () => {
      const reply = await ask(() => ({ kind: 'relay', pipe: async () => {} }))
      assert.ok(reply.kind === 'relay')
      await reply.pipe(sink)
    },
  ],
  [
    'a relay that breaks',
    async () => {
      const reply = await ask(() => ({ kind: 'relay', pipe: () => Promise.reject(new Error('reset')) }))
      assert.ok(reply.kind === 'relay')
      await assert.rejects(reply.pipe(sink))
    },
  ],
  [
    'a client that has left',
    () => assert.rejects(ask(({ signal }) => signal.throwIfAborted() ?? json, { signal: AbortSignal.abort() })),
  ],
  [
    'an empty purse',
    () =>
      assert.rejects(
        ask(() => json, { ledger: { ...services.ledger, reserve: () => Promise.reject(fault.draining()) } }),
      ),
  ],
  [
    'an empty purse that is known at once',
    () =>
      assert.rejects(
        ask(() => json, {
          ledger: {
            ...services.ledger,
            reserve: () => {
              throw fault.draining()
            },
          },
        }),
      ),
  ],
]

for (const [name, end] of endings)
  test(`the place of a running request is free again after ${name}`, async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = ask(() => promise.then(() => json))
    await assert.rejects(
      ask(() => json),
      refused,
      'there is one place',
    )
    resolve()
    await running
    await end()
    await ask(() => json)
  })

test('tokens that were only estimated are given back, and those that were used are not', async () => {
  await ask(({ meter }) => {
    meter.input(300)
    meter.output(50)
    return json
  })
  const reply = await ask(() => json)
  const headers = reply.headers ?? []
  const remaining = Number(headers[headers.indexOf('x-ratelimit-remaining-tokens') + 1])
  assert.equal(remaining, 1000 - 350 - (100 + 500), 'bytes of text are fewer tokens: a quarter is the estimate')
})
