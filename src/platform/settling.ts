import type { Sink } from '../engines/engine.ts'
import { Fault, fault } from '../lib/faults.ts'
import type { Charge } from './charging.ts'
import type { Reply } from './operation.ts'

/**
 * The reply, with its settlement at its end: before the last byte leaves where the ledger wants that. A failure or the reader's
 * leaving settles as well. A promise only where something has to be awaited.
 */
export function settledReply(reply: Reply, charge: Charge, signal: AbortSignal): Reply | Promise<Reply> {
  const { headers } = charge
  const ended = (status: 'ok' | 'failed') => charge.settle(signal.aborted ? 'cancelled' : status)
  const more = headers === undefined ? reply.headers : [...headers, ...(reply.headers ?? [])]
  const extra = more === undefined ? {} : { headers: more }
  if (reply.kind === 'events')
    return settledEvents(reply.events, ended, charge).then(events => ({ kind: 'events', events, ...extra }))
  if (reply.kind === 'relay')
    return { kind: 'relay', pipe: sink => settledPipe(reply.pipe, sink, ended, charge.strict), ...extra }
  const settled = more === undefined ? reply : { ...reply, ...extra }
  return ended('ok')?.then(() => settled) ?? settled
}

type Ended = (status: 'ok' | 'failed') => Promise<void> | undefined

/** The same events with the first already there. */
async function settledEvents(
  events: AsyncIterable<object>,
  ended: Ended,
  charge: Charge,
): Promise<AsyncIterable<object>> {
  const iterator = events[Symbol.asyncIterator]()
  let first: IteratorResult<object> | undefined = await iterator.next()
  const next = async (): Promise<IteratorResult<object>> => {
    try {
      const result = first ?? (await iterator.next())
      first = undefined
      if (result.done === true) await ended('ok')
      return result
    } catch (error) {
      await ended('failed')
      throw error instanceof Fault ? error : fault.internal(error)
    }
  }
  const leave = async (): Promise<IteratorResult<object>> => {
    await iterator.return?.()
    await charge.settle('cancelled')
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) }
}

async function settledPipe(
  pipe: (sink: Sink) => Promise<Fault | undefined>,
  sink: Sink,
  ended: Ended,
  strict: boolean,
): Promise<Fault | undefined> {
  const last = strict ? new EndHeld(sink) : undefined
  let failed: Fault | undefined
  try {
    failed = await pipe(last ?? sink)
  } catch (error) {
    await ended('failed')
    throw error instanceof Fault ? error : fault.internal(error)
  }
  await ended(failed === undefined ? 'ok' : 'failed')
  last?.release()
  return failed
}

/** Keeps the piece back that ends a stream, so that it can wait for the settlement; all others pass. */
class EndHeld implements Sink {
  readonly #sink: Sink
  #held: Uint8Array | undefined

  constructor(sink: Sink) {
    this.#sink = sink
  }

  write(bytes: Uint8Array): boolean {
    const taken = this.#held === undefined || this.#sink.write(this.#held)
    this.#held = undefined
    if (!endsStream(bytes)) return this.#sink.write(bytes)
    this.#held = bytes
    return taken
  }

  drained(resume: () => void): void {
    this.#sink.drained(resume)
  }

  release(): void {
    if (this.#held !== undefined) this.#sink.write(this.#held)
    this.#held = undefined
  }
}

const endOfStream = Buffer.from('data: [DONE]\n\n')

const endsStream = (bytes: Uint8Array): boolean =>
  bytes.length >= endOfStream.length && endOfStream.equals(bytes.subarray(-endOfStream.length))
