import assert from 'node:assert/strict'
import { type Doing, doing, type Round } from '../support/kills.ts'
import { assertEachOnce, clientOf, createBatch, embedding, ended, inputOf } from './batches.ts'

/** A batch whose creation was answered. */
interface Known {
  id: string
  lines: number
  /** It was looked at after its end. */
  isChecked: boolean
}

/** Longer than this after a restart no batch may be stuck. */
const endMsMax = 30_000
const lines = 150

/** Batches of embeddings, one after another; a kill comes wherever they are. */
const batches: Doing<Known> = {
  name: 'batches',
  async work(product, acknowledged, signal) {
    const client = clientOf(product)
    const go = async () => {
      while (!signal.aborted) {
        const { id } = await createBatch(client, '/v1/embeddings', inputOf('/v1/embeddings', lines, embedding))
        acknowledged({ id, lines, isChecked: false })
        await ended(client, id)
      }
    }
    await go().catch(() => {}) // the server goes in the middle: whatever a client says of that is right
  },

  async check(product, facts) {
    const client = clientOf(product)
    const listed: string[] = []
    for await (const { id } of client.batches.list({ limit: 100 })) listed.push(id)
    assert.equal(new Set(listed).size, listed.length, 'a batch is listed twice')
    const startedMs = performance.now()
    for (const fact of facts) {
      assert.ok(listed.includes(fact.id), `${fact.id} is lost`)
      if (fact.isChecked) continue
      const batch = await ended(client, fact.id, ({ status }) =>
        assert.ok(performance.now() - startedMs < endMsMax, `${fact.id} is stuck: ${status}`),
      )
      assert.equal(batch.status, 'completed', JSON.stringify(batch.errors))
      assert.deepEqual(batch.request_counts, { total: fact.lines, completed: fact.lines, failed: 0 })
      const tokens = await assertEachOnce(client, batch, fact.lines)
      assert.equal(tokens, batch.usage?.total_tokens, 'the batch tells what its lines used')
      fact.isChecked = true
    }
  },
}

export const batchKills = (): Round => doing(batches)
