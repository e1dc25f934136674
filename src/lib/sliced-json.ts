import { setImmediate } from 'node:timers/promises'

/** What is written in one go: a fraction of a millisecond. */
const slice = 16_384
const sliceItems = 2048
const copiedBytes = 2_097_152

/**
 * The JSON of an object whose texts and lists may be long, written in slices of a millisecond or two. Everything that can be iterated
 * over is a list.
 * @throws the signal's reason when it is aborted
 */
export async function slicedJson(value: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = []
  for (const part of written(value)) {
    parts.push(Buffer.from(part))
    if (parts.length % 4 !== 0) continue
    await setImmediate()
    signal?.throwIfAborted()
  }
  return joined(parts)
}

function* written(value: Readonly<Record<string, unknown>>): Generator<string, void> {
  let separator = '{'
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    yield `${separator}${JSON.stringify(name)}:`
    separator = ','
    if (typeof field === 'string') yield* writtenText(field)
    else if (isIterable(field)) yield* writtenList(field)
    else yield JSON.stringify(field)
  }
  yield separator === '{' ? '{}' : '}'
}

function* writtenText(text: string): Generator<string, void> {
  yield '"'
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + slice, text.length)
    // Both halves of a pair stay together: alone each would be written as an escape.
    if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end++
    yield JSON.stringify(text.slice(start, end)).slice(1, -1)
    start = end
  }
  yield '"'
}

/** Takes the items one by one, so that a list of millions need not exist. */
function* writtenList(list: Iterable<unknown>): Generator<string, void> {
  yield '['
  let items: unknown[] = []
  let separator = ''
  const flush = () => {
    const text = separator + JSON.stringify(items).slice(1, -1)
    items = []
    separator = ','
    return text
  }
  for (const item of list) if (items.push(item) === sliceItems) yield flush()
  if (items.length > 0) yield flush()
  yield ']'
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value

async function joined(parts: readonly Buffer[]): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  let pauseAt = copiedBytes
  for (const part of parts) {
    part.copy(whole, at)
    at += part.length
    if (at < pauseAt) continue
    pauseAt = at + copiedBytes
    await setImmediate()
  }
  return whole
}
