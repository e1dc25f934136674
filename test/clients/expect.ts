import assert from 'node:assert/strict'
import type { ChatChunk, Client, Completion } from './client.ts'

/** Everything that is to come. */
export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

/** All chunks are of one reply. */
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

/** Usage is there, and its sum is right. */
export function checkUsage(
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null | undefined,
): void {
  assert.ok(usage !== null && usage !== undefined, 'usage is there')
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0)
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
}

/** Tokens of prompt and reply. */
export const counts = (usage: { prompt_tokens: number; completion_tokens: number } | null | undefined) => [
  usage?.prompt_tokens,
  usage?.completion_tokens,
]

/** Role and content, as far as they are there. */
export const pick = ({ role, content }: { role?: unknown; content?: unknown }) => ({
  ...(role !== undefined && { role }),
  ...(content !== undefined && { content }),
})

/** The text of one choice, put together from chat chunks. */
export const contentOf = (chunks: ChatChunk[], index: number): string =>
  chunks
    .flatMap(chunk => chunk.choices.filter(choice => choice.index === index).map(choice => choice.delta.content ?? ''))
    .join('')

/** The text of one choice, put together from completion chunks. */
export const textOf = (chunks: Completion[], index: number): string =>
  chunks.flatMap(chunk => chunk.choices.filter(choice => choice.index === index).map(choice => choice.text)).join('')

/** Choices without what Azure's paths add to them. */
export const unmarked = (choices: object[]): object[] =>
  choices.map(choice =>
    Object.fromEntries(Object.entries(choice).filter(([name]) => name !== 'content_filter_results')),
  )

/** A vector, also when a client of before base64 hands the text through. */
export function numbers(embedding: number[] | string): number[] {
  assert.ok(Array.isArray(embedding), 'the client hands out numbers')
  return embedding
}

/** Two vectors are the same but for rounding. */
export function closeTo(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length)
  for (const [place, value] of actual.entries())
    assert.ok(Math.abs(value - expected[place]!) < 1e-5, `number ${place}: ${value}, not ${expected[place]}`)
}

/** What the program sees of a call that must fail. */
export async function failure(client: Client, call: () => Promise<unknown>) {
  const outcome = await call().then(
    () => assert.fail('the call should have failed'),
    (error: unknown) => error,
  )
  return client.seen(outcome)
}

interface Expected {
  status: number
  code: string | null
  type: string
  param?: string
  className: string
}

/** The error is that one, and carries the id of its request. */
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
