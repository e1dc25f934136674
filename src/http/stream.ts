import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Sink } from '../engines/engine.ts'
import type { HeaderList } from './headers.ts'

/** Headers of an event stream; `x-accel-buffering` keeps nginx from holding it back. */
export const streamHeaders: HeaderList = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache',
  'x-accel-buffering',
  'no',
]

/**
 * Writes events as `data: {json}` frames with `data: [DONE]` at the end, at the reader's pace. Ends early without a word when the
 * reader has left (`signal`). An error in mid-stream becomes a `data: {"error":…}` frame, and then nothing more (wire.md section 4).
 */
export async function writeEvents(
  response: ServerResponse,
  events: AsyncIterable<object>,
  signal: AbortSignal,
  errorBody: (error: unknown) => string,
): Promise<void> {
  try {
    for await (const event of events) {
      if (signal.aborted) return
      if (!response.write(`data: ${JSON.stringify(event)}\n\n`)) await drained(response, signal)
    }
    if (!signal.aborted) response.end('data: [DONE]\n\n')
  } catch (error) {
    if (!signal.aborted) response.end(`data: ${errorBody(error)}\n\n`)
  }
}

/** Writes bytes at the reader's pace; ends early without a word when the reader has left (`signal`). */
export async function writeBytes(
  response: ServerResponse,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of bytes) {
    if (signal.aborted) return
    if (!response.write(piece)) await drained(response, signal)
  }
}

/** Where a relayed stream writes to. */
export function sinkOf(response: ServerResponse): Sink {
  return {
    write: bytes => response.write(bytes),
    drained: resume => response.once('drain', resume),
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    await once(response, 'drain', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
