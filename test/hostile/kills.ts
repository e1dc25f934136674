import assert from 'node:assert/strict'
import OpenAI, { APIError } from 'openai'
import { type Doing, doing, type Round } from '../support/kills.ts'
import type { Product } from '../support/product.ts'

const clientOf = ({ url, key }: Product) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })

/** A key whose secret was told; `deleted`: its end, too. */
interface KnownKey {
  id: string
  secret: string
  state: 'there' | 'leaving' | 'gone'
}

interface Listed {
  data: { id: string }[]
  last_id: string | null
  has_more: boolean
}

/** Everything below a path, page by page. */
async function all(client: OpenAI, path: string, query: object = {}): Promise<string[]> {
  const ids: string[] = []
  let after: string | undefined
  for (;;) {
    const page: Listed = await client.get(path, { query: { limit: 100, ...(after && { after }), ...query } })
    ids.push(...page.data.map(({ id }) => id))
    if (!page.has_more || page.last_id === null) break
    after = page.last_id
  }
  assert.equal(new Set(ids).size, ids.length, `${path} names something twice`)
  return ids
}

const projectOf = async (client: OpenAI): Promise<string> => (await all(client, '/organization/projects'))[0]!

/** Keys are made, and every second one is ended. */
const keys: Doing<KnownKey> = {
  name: 'keys',
  async work(product, acknowledged, signal) {
    const client = clientOf(product)
    const go = async () => {
      const path = `/organization/projects/${await projectOf(client)}/api_keys`
      for (let turn = 0; !signal.aborted; turn++) {
        const made: { id: string; value: string } = await client.post(path, { body: { name: `key ${turn}` } })
        const known: KnownKey = { id: made.id, secret: made.value, state: 'there' }
        acknowledged(known)
        if (turn % 2 === 0) continue
        known.state = 'leaving'
        await client.delete(`${path}/${made.id}`)
        known.state = 'gone'
      }
    }
    await go().catch(() => {}) // the server goes in the middle
  },

  async check(product, facts) {
    const client = clientOf(product)
    const listed = new Set(await all(client, `/organization/projects/${await projectOf(client)}/api_keys`))
    for (const { id, state } of facts)
      if (state !== 'leaving') assert.equal(listed.has(id), state === 'there', `${id} should be ${state}`)
    // What is listed opens the door, and what is not, does not; of many, the newest.
    for (const { id, secret } of facts.slice(-6)) {
      const opened = await new OpenAI({ baseURL: `${product.url}/v1`, apiKey: secret, maxRetries: 0 }).models
        .list()
        .then(() => true)
        .catch((error: unknown) => {
          if (error instanceof APIError && error.status === 401) return false
          throw error
        })
      assert.equal(opened, listed.has(id), `${id} opens: ${opened}`)
    }
  },
}

/** A limit of an end user that was set. Both of its halves are one setting. */
interface KnownLimit {
  subject: string
  hard: number
  isSettled: boolean
}

let endUsers = 0

/** Limits of end users are set, raised and taken away; the newest answer to each counts. */
const limits: Doing<KnownLimit> = {
  name: 'limits',
  async work(product, acknowledged, signal) {
    const client = clientOf(product)
    const set = (subject: string, hard: number) =>
      client.post('/organization/limits', {
        body: { subject: 'end_user', subject_id: subject, hard_limit_usd: hard, soft_limit_usd: hard / 2 },
      })
    const go = async () => {
      while (!signal.aborted) {
        const known: KnownLimit = { subject: `user-${endUsers++}`, hard: 10, isSettled: true }
        await set(known.subject, known.hard)
        acknowledged(known)
        known.isSettled = false
        await set(known.subject, 20)
        Object.assign(known, { hard: 20, isSettled: true })
      }
    }
    await go().catch(() => {}) // the server goes in the middle
  },

  async check(product, facts) {
    const client = clientOf(product)
    const path = '/organization/limits'
    for (const { subject, hard, isSettled } of facts.slice(-20)) {
      const query = { subject: 'end_user', subject_id: subject }
      const { data }: { data: { hard_limit_usd: number; soft_limit_usd: number }[] } = await client.get(path, { query })
      assert.equal(data.length, 1, `${subject} has ${data.length} limits`)
      const found = data[0]!
      if (isSettled) assert.equal(found.hard_limit_usd, hard, subject)
      assert.equal(found.soft_limit_usd, found.hard_limit_usd / 2, `${subject}: half of a setting`)
    }
    const listed = new Set(await all(client, path, { subject: 'end_user' }))
    assert.ok(listed.size >= facts.length, `${facts.length - listed.size} limits are lost`)
  },
}

export const keyKills = (): Round => doing(keys)
export const limitKills = (): Round => doing(limits)
