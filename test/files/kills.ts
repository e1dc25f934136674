import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import OpenAI, { toFile } from 'openai'
import { type Doing, doing, type Round } from '../support/kills.ts'
import type { Product } from '../support/product.ts'

/** A file whose answer has come; `deleted`: the answer to its deletion, too. */
interface Known {
  id: string
  sha256: string
  deleted: boolean
}

const clientOf = ({ url, key }: Product) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
/** How long a server that has just started may take to sweep. */
const sweptMs = 20_000
/** Files whose deletion was under way when the server went: they may be there or not. */
const pending = new Set<string>()
/** Files that were read after a kill, with how many looks there were since: each is read at once, and again now and then. */
const read = new Map<string, number>()
const readEvery = 12

/** Uploads in one piece and in parts, and deletions, four at a time. */
const files: Doing<Known> = {
  name: 'files',
  async work(product, acknowledged, signal) {
    const client = clientOf(product)
    const lane = async (number: number) => {
      const mine: Known[] = []
      for (let turn = number; !signal.aborted; turn++) {
        const content = randomBytes((turn * 37_137) % 400_000)
        const { id } = turn % 3 === 0 ? await inParts(client, content) : await whole(client, content)
        const known = { id, sha256: sha256(content), deleted: false }
        mine.push(known)
        acknowledged(known)
        const victim = turn % 4 === 1 ? mine.shift() : undefined
        if (victim === undefined) continue
        pending.add(victim.id)
        await client.files.delete(victim.id)
        pending.delete(victim.id)
        victim.deleted = true
      }
    }
    // The server goes in the middle: whatever a client says of that is right.
    await Promise.all([0, 1, 2, 3].map(number => lane(number).catch(() => {})))
  },

  async check(product, facts) {
    const client = clientOf(product)
    const listed = new Map<string, number>()
    for await (const { id, bytes } of client.files.list({ limit: 100 })) {
      assert.ok(!listed.has(id), `${id} is listed twice`)
      listed.set(id, bytes)
    }
    for (const { id, deleted } of facts)
      if (!pending.has(id)) assert.equal(listed.has(id), !deleted, `${id} ${deleted ? 'is there again' : 'is lost'}`)
    const expected = new Map(facts.map(fact => [fact.id, fact.sha256]))
    for (const [id, bytes] of listed) {
      const looks = read.get(id) ?? 0
      read.set(id, looks + 1)
      if (looks % readEvery !== 0) continue
      const content = Buffer.from(await (await client.files.content(id)).arrayBuffer())
      assert.equal(content.length, bytes, `${id} is half written`)
      assert.equal(sha256(content), expected.get(id) ?? sha256(content))
    }
    await assertNoOrphans(product)
  },
}

async function whole(client: OpenAI, content: Buffer): Promise<{ id: string }> {
  return client.files.create({ file: await toFile(content, 'whole.bin'), purpose: 'user_data' })
}

async function inParts(client: OpenAI, content: Buffer): Promise<{ id: string }> {
  if (content.length < 2) return whole(client, content)
  const about = { filename: 'parts.bin', purpose: 'user_data', mime_type: 'application/octet-stream' } as const
  const { id } = await client.uploads.create({ ...about, bytes: content.length })
  const middle = content.length >> 1
  const part_ids: string[] = []
  for (const piece of [content.subarray(0, middle), content.subarray(middle)])
    part_ids.push((await client.uploads.parts.create(id, { data: await toFile(piece, 'part') })).id)
  const { file } = await client.uploads.complete(id, { part_ids })
  assert.ok(file)
  return file
}

/** Every blob on the disk has a row, every row has a blob, and nothing is half way. */
async function assertNoOrphans({ dataDir }: Product): Promise<void> {
  const look = async () => {
    const database = new DatabaseSync(join(dataDir, 'parlance.db'), { readOnly: true })
    const rows = database.prepare('select id from blobs').all()
    database.close()
    const found = await readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true }).catch(() => [])
    const kept = found.filter(entry => entry.isFile())
    const names = kept.map(({ name, parentPath }) => (parentPath.endsWith('incoming') ? `half: ${name}` : name))
    return { rows: rows.map(({ id }) => String(id)).sort(), names: names.sort() }
  }
  const untilMs = performance.now() + sweptMs
  for (;;) {
    const { rows, names } = await look()
    if (performance.now() > untilMs) assert.deepEqual(names, rows)
    if (names.join() === rows.join()) return
    await delay(50)
  }
}

export const fileKills = (): Round => doing(files)
