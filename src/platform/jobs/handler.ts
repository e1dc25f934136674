import type { Log } from '../../lib/log.ts'
import type { Job } from '../../store/queue/index.ts'
import type { Statement } from '../../store/store.ts'

/** How one kind of jobs is done. */
export interface Handler {
  readonly kind: string
  /** It is done again and again by itself, that far apart. */
  readonly everyMs?: number
  /** So many run at once in a process. Default: 1. */
  readonly atOnce?: number
  /** Waits between attempts, in milliseconds; the last for all that follow. Default: from a second, twice as long each time, to an hour. */
  readonly retryMs?: readonly number[]
  /** It runs also when its end was asked for before it began, with `signal` aborted from the start: it has something to put in order. */
  readonly cleansUp?: true
  /**
   * Does the job. It may have been done before, whole or in part: whoever did it may have died before it could say so.
   * @returns what is written in the same step as that it is done
   * @throws anything: it is tried again. `NotAgain`: it is dead
   */
  run(job: JobRun): Promise<readonly Statement[] | undefined>
}

export interface JobRun {
  readonly job: Job
  /** Grows with every claim: whoever has a lower number has lost the job. */
  readonly fence: number
  /** Aborted with a reason of `Stopped`: to end at once. What was not written is done again, or nobody wants it. */
  readonly signal: AbortSignal
  /** Aborted when the process is about to end: what is under way may end, nothing new is begun; to be left with `ToBeContinued`. */
  readonly stopping: AbortSignal
  readonly log: Log
  /** It has come further: attempts are counted anew. */
  progressed(): void
  /** Writes if the job still is ours. @throws LeaseLost; what `Store.write` throws */
  write(statements: readonly Statement[]): Promise<void>
  /** To be put before statements that are written elsewhere: they are refused with `StaleWrite` when the job is no longer ours. */
  held(): Statement
}

/** Why a job has to end. `cancelled`: somebody asked for it; `lost`: another worker has it; `stopped`: the process ends. */
export class Stopped extends Error {
  override readonly name = 'Stopped'
  readonly why: 'cancelled' | 'lost' | 'stopped'

  constructor(why: Stopped['why']) {
    super(`The job was ${why}.`)
    this.why = why
  }
}

/** Thrown by a handler whose job was not done to its end because the process ends: it goes on elsewhere, or later. */
export class ToBeContinued extends Error {
  override readonly name = 'ToBeContinued'
}

/** Thrown by a handler: another attempt would lead nowhere. */
export class NotAgain extends Error {
  override readonly name = 'NotAgain'
}
