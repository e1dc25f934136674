import assert from 'node:assert/strict'
import type { ChatChunk, Client, Completion } from './client.ts'

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

export function checkEnvelope(
  chunks: { id: string; object: string; created: number; model: string }[],
  object: string,
  model: string,
): void {
  const [first] = chunks
  assert.ok(first !== undefined, 'the stream has chunks')
  for (const { id, created } of chunks) assert.deepEqual({ id, created }, { id: first.id, created: first.created })
  assert.deepEqual([...new Set(chunks.map(chunk => chunk.object))], [object])
  assert.deepEqual([...new Set(chunks.map(chunk => chunk.model))], [model])
}

export function checkUsage(
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null | undefined,
): void {
  assert.ok(usage !== null && usage !== undefined, 'usage is there')
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0)
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
}

export const counts = (usage: { prompt_tokens: number; completion_tokens: number } | null | undefined) => [
  usage?.prompt_tokens,
  usage?.completion_tokens,
]

/** Role and content, as far as they are there. */
export const pick = ({ role, content }: { role?: unknown; content?: unknown }) => ({
  ...(role !== undefined && { role }),
  ...(content !== undefined && { content }),
})

export const contentOf = (chunks: ChatChunk[], index: number): string =>
  chunks
    .flatMap(chunk => chunk.choices.filter(choice => choice.index === index).map(choice => choice.delta.content ?? ''))
    .join('')

export const textOf = (chunks: Completion[], index: number): string =>
  chunks.flatMap(chunk => chunk.choices.filter(choice => choice.index === index).map(choice => choice.text)).join('')

/** A vector, also when a client of before base64 hands the text through. */
export function numbers(embedding: number[] | string): number[] {
  assert.ok(Array.isArray(embedding), 'the client hands out numbers')
  return embedding
}

export function closeTo(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length)
  for (const [place, value] of actual.entries())
    assert.ok(Math.abs(value - expected[place]!) < 1e-5, `number ${place}: ${value}, not ${expected[place]}`)
}

export async function failure(client: Client, call: () => Promise<unknown>) {
  const outcome = await call().then(
    () => assert.fail('the call should have failed'),
    (error: unknown) => error,
  )
  return client.seen(outcome)
}

interface Expected {
  status: number
  code: string
  type: string
  param?: string
  className: string
}

export function expectError(
  seen: ReturnType<Client['seen']>,
  { status, code, type, param, className }: Expected,
): void {
  const { message, requestId } = seen
  assert.deepEqual(
    { status: seen.status, code: seen.code, type: seen.type, param: seen.param },
    { status, code, type, param: param ?? null },
    message,
  )
  assert.match(requestId ?? 'none', /^req_[0-9a-f]{32}$/)
  if (seen.className !== undefined) assert.equal(seen.className, className)
}
