import assert from 'node:assert/strict'
import { Agent, request } from 'undici'
import { scriptedEngine } from '../engines/scripted.ts'
import { operations } from '../operations/index.ts'
import type { FilesOptions } from '../platform/files/index.ts'
import { makeIdempotency } from '../platform/idempotency.ts'
import { makeModels } from '../platform/models.ts'
import { free } from '../platform/prices.ts'
import { testServices } from '../platform/services.fixture.ts'
import type { SignInOptions } from '../platform/sign-in/index.ts'
import { makeServer, type ServerOptions } from './server.ts'

export interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: replies are read here as tests like
  body: any
  /** The cookies that it sets, with their attributes. */
  cookies: string[]
}

export interface Asked {
  body?: unknown
  /** The session's secret, as `parlance_session` with the header beside it, as the console sends them. */
  as?: string
  headers?: Record<string, string>
}

/** The server over a store of its own, a clock that stands still, and an engine that speaks until it is aborted. */
export async function openDoor(
  options: Partial<ServerOptions> = {},
  entering: SignInOptions = {},
  filing?: FilesOptions,
) {
  const engine = scriptedEngine({
    name: 'words',
    context: 1_000_000_000,
    reply: 'on and on '.repeat(100_000),
    wait: () => new Promise(resolve => setImmediate(resolve)),
  })
  const target = {
    ...{ name: 'words', ownedBy: 'test', created: 1, price: free, abilities: engine.abilities, open: () => engine },
  }
  const services = await testServices(makeModels([target], {}), {}, entering, filing)
  const { store, clock, log, keys } = services
  const idempotency = makeIdempotency({ store, clock, log })
  const server = makeServer({
    operations,
    services,
    keys,
    idempotency,
    version: '0.0.0',
    maxBodyBytes: 100_000,
    logRequests: false,
    ...options,
  })
  const { port } = await server.listen('127.0.0.1', 0)
  const agent = new Agent()
  const url = `http://127.0.0.1:${port}`

  const ask = async (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    { body, as, headers }: Asked = {},
  ): Promise<Reply> => {
    const reply = await request(url + path, {
      method,
      dispatcher: agent,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(as !== undefined && { cookie: `parlance_session=${as}`, 'x-parlance-csrf': '1' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.body.text()
    const cookies = [reply.headers['set-cookie'] ?? []].flat()
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body: text === '' ? undefined : JSON.parse(text),
      cookies,
    }
  }

  return {
    ...services,
    url,
    port,
    agent,
    ask,
    /** The body of a reply that must be one. */
    async does(...asked: Parameters<typeof ask>): Promise<Reply['body']> {
      const reply = await ask(...asked)
      assert.equal(reply.status, 200, JSON.stringify(reply.body))
      return reply.body
    },
    /** Sets the first owner up. @returns their cookie */
    async setUp(who: { email: string; name: string; password: string }): Promise<string> {
      const token = await services.signIn.setup.open()
      return secretOf(await ask('POST', '/v1/parlance/setup', { body: { token, ...who } }))
    },
    async enter(email: string, password: string): Promise<string> {
      return secretOf(await ask('POST', '/v1/parlance/sessions', { body: { email, password } }))
    },
    /** The events of the first organisation, the oldest first. */
    async events(): Promise<
      { type: string; actor_id: string | null; subject_id: string; details: string; ip: string | null }[]
    > {
      await store.flush()
      return store.read
        .selectFrom('audit_log')
        .select(['type', 'actor_id', 'subject_id', 'details', 'ip'])
        .orderBy('created_at')
        .orderBy('id')
        .execute()
    },
    async close() {
      await agent.destroy()
      idempotency.close()
      await server.drain(1000)
      await services.close()
    },
  }
}

export type Door = Awaited<ReturnType<typeof openDoor>>

/** The session's secret in the cookie that a reply sets. */
export function secretOf({ status, cookies, body }: Reply): string {
  const secret = cookies.map(cookie => /^parlance_session=([^;]+)/.exec(cookie)?.[1]).find(found => found !== undefined)
  return secret ?? assert.fail(`${status}: ${JSON.stringify(body)}`)
}
