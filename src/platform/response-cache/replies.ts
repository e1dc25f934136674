import type { Sink } from '../../engines/engine.ts'
import { Fault } from '../../lib/faults.ts'
import { EventParser } from '../../lib/sse.ts'
import { isRecord } from '../../wire/walk.ts'
import type { Context, Reply } from '../operation.ts'
import type { Kept } from './entries.ts'
import type { Source } from './recording.ts'

/** A document as a door wants it. */
export const documentReply = (bytes: Buffer, wants: Context['wants']): Reply =>
  wants === 'bytes' ? { kind: 'bytes', bytes } : { kind: 'json', value: JSON.parse(bytes.toString()) as object }

/** A stream as a door wants it. Ends early, and quietly, when the signal is aborted. */
export const streamReply = (source: Source, wants: Context['wants'], signal: AbortSignal): Reply =>
  wants === 'bytes'
    ? { kind: 'relay', pipe: sink => piped(source, sink, signal) }
    : { kind: 'events', events: events(source, signal) }

/** A reply that was kept, as a door wants it. */
export const keptReply = ({ bytes, isStream }: Kept, wants: Context['wants'], signal: AbortSignal): Reply =>
  isStream ? streamReply(new Slices(bytes), wants, signal) : documentReply(bytes, wants)

/** Bytes that are written at once of what is there already. */
const sliceBytes = 65_536

/** A stream that is there already. */
class Slices implements Source {
  readonly fault = undefined
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(): Uint8Array | undefined {
    if (this.isOver) return undefined
    const slice = this.#bytes.subarray(this.#at, this.#at + sliceBytes)
    this.#at += slice.length
    return slice
  }

  async more(): Promise<void> {}
}

async function piped(source: Source, sink: Sink, signal: AbortSignal): Promise<Fault | undefined> {
  while (!signal.aborted) {
    const piece = source.take()
    if (piece !== undefined) {
      if (!sink.write(piece)) await drained(sink, signal)
    } else if (source.isOver) return source.fault
    else await source.more()
  }
  return undefined
}

/** Resolves when the sink takes more, or nobody wants more. */
export function drained(sink: Sink, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return done()
    signal.addEventListener('abort', done)
    sink.drained(done)
  })
}

async function* events(source: Source, signal: AbortSignal): AsyncGenerator<object> {
  const parser = new EventParser(Number.POSITIVE_INFINITY) // the pieces were bounded when they came
  while (!signal.aborted) {
    const piece = source.take()
    if (piece === undefined) {
      if (source.isOver) break
      await source.more()
      continue
    }
    for (const { data } of parser.push(piece)) {
      const event: unknown = data === '[DONE]' ? undefined : JSON.parse(data)
      if (isRecord(event) && 'choices' in event) yield event
    }
  }
  if (source.fault instanceof Fault) throw source.fault
}
