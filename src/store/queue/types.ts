import type { JobStatus } from '../schema/jobs.ts'
import type { Statement } from '../store.ts'

/** Work to be done later. */
export interface NewJob {
  /** Which handler runs it: lower-case words with dots. */
  kind: string
  /** What the handler needs to know, as JSON; at most 64 KiB. */
  payload: object
  /** What it is about: of each kind and subject one job is open at a time, and a second is not taken. */
  subject?: string
  organizationId?: string
  /** The higher, the earlier. Default: 0. */
  priority?: number
  /** Unix milliseconds. Default: now. */
  runAt?: number
  /** How many times it is tried without coming further before it is dead. Default: 8. */
  attemptsMax?: number
}

/** Work that is done again and again; one for each kind. */
export interface Schedule {
  kind: string
  payload: object
  everyMs: number
  /** When it is done first. Default: now. */
  firstAt?: number
}

/** The right to run a job until `untilMs`, if nobody takes it away before. */
export interface Lease {
  readonly job: Job
  readonly token: string
  readonly fence: number
  readonly untilMs: number
}

export interface Job {
  readonly id: string
  readonly kind: string
  readonly subject: string | null
  readonly payload: unknown
  /** 1 for the first, and again for the first after it came further. */
  readonly attempt: number
  readonly attemptsMax: number
  readonly isCancelled: boolean
  readonly everyMs: number | null
}

/** What is to be known of a job from outside. */
export interface JobState {
  id: string
  kind: string
  status: JobStatus
  dueAt: number
  attempts: number
  error: string | null
  cancelAskedAt: number | null
  fence: number
}

export interface ClaimOptions {
  /** Who claims, for the events. */
  worker: string
  kinds: readonly string[]
  leaseMs: number
  /** At most so many. */
  most: number
}

/** A job that somebody else runs by now, or that nobody runs: nothing was written. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'

  constructor(jobId: string, options?: ErrorOptions) {
    super(`The lease of job ${jobId} is lost: somebody else runs it, or nobody.`, options)
  }
}

/**
 * Jobs in the store: leased, fenced, tried again, kept when they are dead. At least once: a job whose worker dies runs again, so its
 * results are written with `write` or `finish`, which refuse whoever has lost the lease.
 */
export interface Queue {
  /** @throws RangeError for a payload that is too large, or a strange kind; what `Store.write` throws. @returns its id; undefined when one of its subject is open */
  enqueue(job: NewJob): Promise<string | undefined>
  /** The same as statements, to be written together with something else. Several can never be half there. */
  enqueuing(job: NewJob): { id: string; statements: readonly Statement[] }
  /** Sees to it that the work is done that often from now on. An interval that was changed counts from the next time. */
  schedule(schedule: Schedule): Promise<void>
  /** Those that are due and those whose lease has ended, first by priority and then by time. Those that were lost too often are dead now. */
  claim(options: ClaimOptions): Promise<Lease[]>
  /**
   * Holds on to it for longer.
   * @param progressed it has come further, so that it is not counted as an attempt that led nowhere
   * @returns the lease as it is then. @throws LeaseLost
   */
  renew(lease: Lease, leaseMs: number, progressed: boolean): Promise<Lease>
  /** For a list of statements that is written elsewhere: none of them counts unless the lease still holds. `StaleWrite` then. */
  held(lease: Lease): Statement
  /** Writes if the lease still holds, all or nothing. @throws LeaseLost; `StaleWrite` for an expectation of theirs */
  write(lease: Lease, statements: readonly Statement[]): Promise<void>
  /** It is done; `beside` is written in the same step. One that is scheduled waits for its next time. @throws LeaseLost */
  finish(lease: Lease, beside?: readonly Statement[]): Promise<void>
  /** It failed: it is tried again after so long, or is dead. @param inMs null: no more. @throws LeaseLost */
  fail(lease: Lease, error: string, inMs: number | null): Promise<'retried' | 'dead'>
  /** Puts it back as if it had not been claimed. @throws LeaseLost */
  release(lease: Lease): Promise<void>
  /** It ended because somebody asked for it. @throws LeaseLost */
  cancelled(lease: Lease): Promise<void>
  /** Asks for the end of a job that is open. Its worker hears of it within a second. */
  cancelling(job: { id: string } | { kind: string; subject: string }): readonly Statement[]
  cancel(job: { id: string } | { kind: string; subject: string }): Promise<void>
  /** Of the jobs with these leases the ids of those whose end was asked for. */
  cancelAsked(tokens: readonly string[]): Promise<ReadonlySet<string>>
  /** What runs belongs to nobody: for the one process that serves a data folder, when it starts. @returns how many */
  takeOver(): Promise<number>
  /** When the next one of these kinds is due; undefined: none waits. */
  nextDueAt(kinds: readonly string[]): Promise<number | undefined>
  /** How many are open. */
  countOpen(kind: string): Promise<number>
  find(id: string): Promise<JobState | undefined>
  /** Removes jobs that ended before, and events of scheduled ones that are as old. @returns how many jobs */
  sweep(beforeMs: number): Promise<number>
  /** Calls back when a job was enqueued or cancelled in this process. @returns how to stop */
  onChange(run: () => void): () => void
  /** To be called when statements of `enqueuing` or `cancelling` were written. */
  changed(): void
}
