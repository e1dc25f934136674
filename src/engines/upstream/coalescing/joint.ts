import { Fault } from '../../../lib/faults.ts'
import type { Log } from '../../../lib/log.ts'
import type { Call } from '../../engine.ts'
import type { Document } from '../document.ts'
import type { Part } from './part.ts'
import { split } from './split.ts'

export type Send = (request: object, call: Call) => Promise<Document>

/**
 * Sends several parts as one request, and settles each of them. One who leaves is charged for what the upstream was sent, and the
 * others go on; with the last one the request is aborted. When the upstream refuses the whole, each part is sent alone, so that only
 * the one that is to blame is refused, with its own error.
 */
export async function sendJoint(
  { name, log }: { name: string; log: Log },
  parts: readonly Part[],
  send: Send,
): Promise<void> {
  const present = new Set(parts)
  const abort = new AbortController()
  const watched = parts.map(part => {
    const leave = () => {
      present.delete(part)
      part.call.meter.input(part.tokens)
      part.reject(part.call.signal.reason)
      if (present.size === 0) abort.abort(part.call.signal.reason)
    }
    part.call.signal.addEventListener('abort', leave, { once: true })
    return () => part.call.signal.removeEventListener('abort', leave)
  })
  const unwatch = () => {
    for (const forget of watched) forget()
  }
  const { input: _, ...rest }: { input?: unknown } = { ...parts[0]!.request }
  const inputs = parts.flatMap(part => [...part.inputs])
  try {
    const reply = await send({ ...rest, input: inputs }, jointCall(parts[0]!.call, abort.signal, log))
    const pieces = split(name, reply, parts)
    unwatch()
    for (const [place, part] of parts.entries()) {
      const { document, tokens } = pieces[place]!
      if (!present.has(part)) continue
      part.call.meter.input(tokens)
      part.resolve(document)
    }
  } catch (error) {
    unwatch()
    for (const part of present) {
      if (isRefusal(error)) part.resolve(send(part.request, part.call))
      else part.reject(error)
    }
  }
}

/** The upstream read the request and does not want it; being asked too often is not about what was asked. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Fault && error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429

/** What it spends is divided later. */
function jointCall({ id, created, seed }: Call, signal: AbortSignal, log: Log): Call {
  return { id, created, seed, signal, log, meter: { input: () => {}, output: () => {} } }
}
