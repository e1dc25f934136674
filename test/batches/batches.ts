import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import OpenAI, { toFile } from 'openai'
import type { Batch } from 'openai/resources/batches'
import type { Product } from '../support/product.ts'

export const clientOf = ({ url, key }: Pick<Product, 'url' | 'key'>): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })

export type Endpoint = '/v1/embeddings' | '/v1/chat/completions'

/** The text of an input: one line for each body, `c0`, `c1` and so on. */
export const inputOf = (url: Endpoint, count: number, bodyOf: (index: number) => object): string =>
  Array.from(
    { length: count },
    (_, index) => `${JSON.stringify({ custom_id: `c${index}`, method: 'POST', url, body: bodyOf(index) })}\n`,
  ).join('')

export const embedding = (index: number): object => ({
  model: 'text-embedding-3-small',
  input: `Sentence ${index} of many is about ${index % 17} cats.`,
})

export async function createBatch(client: OpenAI, endpoint: Endpoint, input: string): Promise<Batch> {
  const { id } = await client.files.create({ file: await toFile(Buffer.from(input), 'in.jsonl'), purpose: 'batch' })
  return client.batches.create({ input_file_id: id, endpoint, completion_window: '24h' })
}

const over = new Set<Batch['status']>(['completed', 'failed', 'expired', 'cancelled'])

/** Waits for the end of a batch. @param seen is called with each look */
export async function ended(client: OpenAI, id: string, seen: (batch: Batch) => void = () => {}): Promise<Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id)
    seen(batch)
    if (over.has(batch.status)) return batch
    await delay(100)
  }
}

export interface OutputLine {
  id: string
  custom_id: string
  response: { status_code: number; body: { usage?: { total_tokens: number } } } | null
  error: { code: string } | null
}

/** The lines of a file of results, one after another: it may be larger than a text can be. */
export async function* outputOf(client: OpenAI, fileId: string | null | undefined): AsyncGenerator<OutputLine> {
  if (fileId === null || fileId === undefined) return
  const { body } = await client.files.content(fileId)
  assert.ok(body)
  for await (const line of createInterface({ input: Readable.from(body), crlfDelay: Number.POSITIVE_INFINITY })) {
    yield JSON.parse(line)
  }
}

/** Every line has one answer, in one of the two files. @returns how many tokens the replies say they used */
export async function assertEachOnce(client: OpenAI, batch: Batch, count: number): Promise<number> {
  const seen = new Set<string>()
  let tokens = 0
  for (const file of [batch.output_file_id, batch.error_file_id])
    for await (const { custom_id: customId, response } of outputOf(client, file)) {
      assert.ok(!seen.has(customId), `${batch.id}: ${customId} is answered twice`)
      seen.add(customId)
      tokens += response?.body.usage?.total_tokens ?? 0
    }
  assert.equal(seen.size, count, batch.id)
  for (let index = 0; index < count; index++) assert.ok(seen.has(`c${index}`), `${batch.id}: c${index} is lost`)
  return tokens
}

/** Memory that the server holds now, in bytes. */
export function residentBytes({ pid }: Pick<Product, 'pid'>): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

export interface Charged {
  requests: number
  inputTokens: number
  outputTokens: number
  costNano: number
}

/** What the ledger of a server says of lines of batches, or of everything else. */
export function charged(dataDir: string, ofBatches: boolean): Charged {
  const database = new DatabaseSync(join(dataDir, 'parlance.db'), { readOnly: true })
  const row = database
    .prepare(
      `select count(*) requests, sum(input_tokens) inputTokens, sum(output_tokens) outputTokens, sum(cost_nano) costNano
       from usage where status = 'ok' and batch = ?`,
    )
    .get(ofBatches ? 1 : 0)
  database.close()
  const number = (name: keyof Charged) => Number(row?.[name] ?? 0)
  return {
    requests: number('requests'),
    inputTokens: number('inputTokens'),
    outputTokens: number('outputTokens'),
    costNano: number('costNano'),
  }
}
