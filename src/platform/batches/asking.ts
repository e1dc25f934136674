import { Fault, fault } from '../../lib/faults.ts'
import { describe } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import { backOffMs } from '../../store/queue/index.ts'
import { execute, type Services } from '../execute.ts'
import type { Operation } from '../operation.ts'
import { type Answer, failed, notOneValue, replied } from './answer.ts'
import type { Line } from './input.ts'
import type { Lanes } from './lanes.ts'
import type { Principal } from './principal.ts'

/** What all lines of a batch share. */
export interface Asking {
  operation: Operation
  /** As the lines name it. */
  model: string
  principal: Principal
  lanes: Lanes
  services: Services
  timers: Timers
}

/** Waits after errors that may pass, in milliseconds; after the last one the line has failed. */
const retryMs: readonly number[] = [1000, 4000, 15_000, 60_000]
/** Whoever is told to come back much later asks in between: limits may have been raised. */
const waitMsMax = 60_000

/**
 * One request of a batch, as any other: with the rights, limits and money of whoever made the batch. A rate limit is waited for; an
 * error that may pass is tried again a few times; every other is the answer.
 * @throws the signal's reason when it is aborted
 */
export async function ask(line: Line, asking: Asking, signal: AbortSignal): Promise<Answer> {
  const { ids, random, log } = asking.services
  const id = ids.make('batchRequest')
  for (let tries = 1, limited = 0; ; ) {
    const requestId = ids.make('request')
    try {
      return replied(line, { id, requestId }, await attempt(line, asking, requestId, signal))
    } catch (error) {
      signal.throwIfAborted()
      const reason = error instanceof Fault ? error : fault.internal(error)
      const askedMs = retryAfterMs(reason)
      const isLimit = reason.status === 429 && askedMs !== undefined
      if (!isLimit && (!mayPass(reason) || tries > retryMs.length)) {
        if (reason.status >= 500) log.warn('batch.line_failed', { requestId, cause: describe(reason.cause ?? reason) })
        return failed(line, { id, requestId }, reason)
      }
      const backMs = isLimit ? backOffMs(++limited, random) : backOffMs(tries++, random, retryMs)
      await pause(Math.min(waitMsMax, askedMs ?? backMs), asking.timers, signal)
    }
  }
}

/** @throws Fault; the signal's reason */
async function attempt(
  { body, sizeBytes }: Line,
  { operation, model, principal, lanes, services }: Asking,
  requestId: string,
  signal: AbortSignal,
): Promise<object> {
  const caller = await principal.caller()
  const target = services.models.resolve(model)
  const leave = await lanes.enter(target.name, signal)
  try {
    const reply = await execute(
      operation,
      {
        ...{ body, bytes: sizeBytes, params: {}, query: {}, caller, signal },
        from: { ip: null, userAgent: 'batch', requestId },
        wants: 'values',
        batch: true,
      },
      services,
    )
    signal.throwIfAborted() // it may be cut short
    if (reply.kind !== 'json') throw notOneValue()
    return reply.value
  } finally {
    leave()
  }
}

/** When the error says that it passes. */
function retryAfterMs({ headers }: Fault): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN)
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  if (ms >= 0) return Math.max(1, ms)
  return seconds >= 0 ? Math.max(1, seconds * 1000) : undefined
}

/** Errors of this side or behind it, unless they say that they stay. */
const mayPass = ({ status, headers }: Fault): boolean =>
  (status === 408 || status === 429 || status >= 500) && headers['x-should-retry'] !== 'false'

/** @throws the signal's reason */
function pause(ms: number, timers: Timers, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const leave = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = timers.after(ms, () => {
      signal.removeEventListener('abort', leave)
      resolve()
    })
    signal.addEventListener('abort', leave, { once: true })
  })
}
