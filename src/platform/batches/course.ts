import type { Clock } from '../../lib/clock.ts'
import type { Timers } from '../../lib/timers.ts'
import { type JobRun, Stopped } from '../jobs/handler.ts'

/** How a batch comes to its end. */
export type Ending = 'done' | 'cancelled' | 'expired' | 'stopping'

/** Requests that were under way when the end was asked for have cost money: they may still answer for so long. */
const graceMs = 10_000
const timerMsMax = 2_147_483_647

/** Whether a batch goes on, and if not, why. */
export class Course {
  readonly #run: JobRun
  readonly #clock: Clock
  readonly #expiresAt: number
  readonly #cutting = new AbortController()
  readonly #cancels: (() => void)[] = []

  constructor(run: JobRun, { expiresAt, clock, timers }: { expiresAt: number; clock: Clock; timers: Timers }) {
    this.#run = run
    this.#clock = clock
    this.#expiresAt = expiresAt
    const { signal } = run
    const ended = () => {
      if (whyOf(signal) !== 'cancelled') this.#cutting.abort(signal.reason)
      else this.#cancels.push(timers.after(graceMs, () => this.#cutting.abort(signal.reason)))
    }
    if (signal.aborted) ended()
    else signal.addEventListener('abort', ended, { once: true })
    const leftMs = Math.min(timerMsMax, Math.max(0, expiresAt - clock.now()))
    this.#cancels.push(timers.after(leftMs, () => this.#cutting.abort(new Error('The batch has expired.'))))
    this.#cancels.push(() => signal.removeEventListener('abort', ended))
  }

  /** Aborted when requests that are under way are cut off. */
  get signal(): AbortSignal {
    return this.#cutting.signal
  }

  /** Undefined while another request may begin. @throws Stopped when the batch was lost, or has to be left at once */
  get ending(): Exclude<Ending, 'done'> | undefined {
    const { signal, stopping } = this.#run
    const why = whyOf(signal)
    if (why === 'cancelled') return 'cancelled'
    if (why !== undefined) throw signal.reason
    if (this.#clock.now() >= this.#expiresAt) return 'expired'
    return stopping.aborted ? 'stopping' : undefined
  }

  close(): void {
    for (const cancel of this.#cancels) cancel()
  }
}

function whyOf({ aborted, reason }: AbortSignal): Stopped['why'] | undefined {
  if (!aborted) return undefined
  return reason instanceof Stopped ? reason.why : 'stopped'
}
