import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Failure } from './failure.ts'

/** How the store is. Remembers the reason, says changes to the log, and lets others wait for better times. */
export interface Condition {
  /**
   * `ok`; `failing`: the last commit failed for a reason that may pass, and the store keeps trying; `failed`: nothing is written any
   * more until the process starts anew; `closed`.
   */
  readonly state: 'ok' | 'failing' | 'failed' | 'closed'
  /** One sentence for logs and the operator; null while all is well. */
  readonly reason: string | null
  /** Unix milliseconds; null while all is well. */
  readonly since: number | null
  worked(): void
  failing(failure: Failure): void
  fail(failure: Failure): void
  close(): void
  /** Resolves when the state is `ok`, rejects when it will not be again. */
  recovered(): Promise<void>
}

/** A full disk fails many times a second; the log hears of it once a minute. */
const logEveryMs = 60_000

export function startCondition({ clock, log }: { clock: Clock; log: Log }): Condition {
  let state: Condition['state'] = 'ok'
  let failure: Failure | null = null
  let since: number | null = null
  let loggedAt = Number.NEGATIVE_INFINITY
  let waiting: { resolve(): void; reject(error: Error): void }[] = []

  function settle(end: (waiter: (typeof waiting)[number]) => void): void {
    const settled = waiting
    waiting = []
    settled.forEach(end)
  }

  function end(to: 'failed' | 'closed'): void {
    state = to
    settle(waiter => waiter.reject(new Error(`The store has ${to}.`)))
  }

  return {
    get state() {
      return state
    },
    get reason() {
      return failure === null ? null : `${failure.kind}: ${failure.message}`
    },
    get since() {
      return since
    },
    worked() {
      if (state === 'ok') return settle(waiter => waiter.resolve())
      if (state !== 'failing') return
      state = 'ok'
      if (loggedAt === since) log.info('store.recovered', { afterMs: clock.now() - (since ?? 0) })
      failure = null
      since = null
      settle(waiter => waiter.resolve())
    },
    failing(cause) {
      if (state !== 'ok' && state !== 'failing') return
      failure = cause
      if (state === 'failing') return
      state = 'failing'
      since = clock.now()
      if (since - loggedAt < logEveryMs) return
      loggedAt = since
      log.error('store.failing', { kind: cause.kind, reason: cause.message })
    },
    fail(cause) {
      if (state === 'failed' || state === 'closed') return
      failure = cause
      since ??= clock.now()
      log.error('store.failed', { kind: cause.kind, reason: cause.message })
      end('failed')
    },
    close: () => end('closed'),
    recovered: () =>
      state === 'ok'
        ? Promise.resolve()
        : state === 'failing'
          ? new Promise((resolve, reject) => waiting.push({ resolve, reject }))
          : Promise.reject(new Error(`The store has ${state}.`)),
  }
}
