import { describe } from '../lib/log.ts'
import { type Handler, type JobRun, NotAgain, Stopped, ToBeContinued } from '../platform/jobs/handler.ts'
import { backOffMs, type Lease, LeaseLost } from '../store/queue/index.ts'
import type { WorkerServices } from './worker.ts'

/** What a worker has claimed, and who does it. */
export interface Course {
  handler: Handler
  lease: Lease
  leaseMs: number
  stopping: AbortSignal
}

/** One job while it runs: keeps its lease alive, and tells the queue how it ended. */
export class Running {
  readonly kind: string
  readonly token: string
  /** Resolves when the queue was told, or cannot be told any more. */
  readonly ended: Promise<void>
  readonly #course: Course
  readonly #services: WorkerServices
  readonly #ending = new AbortController()
  #lease: Lease
  #progressed = false
  #cancelBeat = (): void => {}
  #beating: Promise<void> = Promise.resolve()

  constructor(course: Course, services: WorkerServices) {
    this.#course = course
    this.#services = services
    this.#lease = course.lease
    this.kind = course.handler.kind
    this.token = course.lease.token
    if (course.lease.job.isCancelled) this.stop('cancelled')
    this.#beatLater()
    this.ended = this.#run()
  }

  stop(why: Stopped['why']): void {
    if (!this.#ending.signal.aborted) this.#ending.abort(new Stopped(why))
  }

  async #run(): Promise<void> {
    const { handler, lease } = this.#course
    const { log } = this.#services
    const { id, kind } = lease.job
    try {
      if (lease.job.isCancelled && handler.cleansUp !== true) throw this.#ending.signal.reason
      const beside = (await handler.run(this.#jobRun())) ?? []
      await this.#settled()
      await this.#services.queue.finish(this.#lease, beside)
    } catch (error) {
      await this.#settled()
      await this.#tell(error).catch((untold: unknown) => {
        // Its lease runs out, and it runs again: at least once is what jobs are promised.
        if (!(untold instanceof LeaseLost)) log.error('job.untold', { id, kind, cause: describe(untold) })
      })
    }
  }

  #jobRun(): JobRun {
    const { lease, stopping } = this.#course
    const { log, queue } = this.#services
    return {
      job: lease.job,
      fence: lease.fence,
      signal: this.#ending.signal,
      stopping,
      log,
      progressed: () => {
        this.#progressed = true
      },
      write: statements => queue.write(this.#lease, statements),
      held: () => queue.held(this.#lease),
    }
  }

  async #tell(error: unknown): Promise<void> {
    const { queue, log, random } = this.#services
    const { handler } = this.#course
    const why = this.#ending.signal.reason
    if (error instanceof LeaseLost || (why instanceof Stopped && why.why === 'lost'))
      return log.warn('job.lease_lost', { id: this.#lease.job.id, kind: this.kind })
    const isOver = why instanceof Stopped && why.why === 'cancelled'
    if (error instanceof ToBeContinued || (why instanceof Stopped && !isOver)) return queue.release(this.#lease)
    // Whoever has something to put in order and could not do it tries again.
    if (isOver && (handler.cleansUp !== true || error === why)) return queue.cancelled(this.#lease)
    const cause = describe(error)
    if (this.#progressed) this.#lease = await queue.renew(this.#lease, this.#course.leaseMs, true)
    const { id, kind, attempt } = this.#lease.job
    const inMs = error instanceof NotAgain ? null : backOffMs(attempt, random, handler.retryMs)
    const outcome = await queue.fail(this.#lease, cause, inMs)
    if (outcome === 'dead') log.error('job.dead', { id, kind, attempts: attempt, cause })
    else log.warn('job.retried', { id, kind, attempts: attempt, inMs, cause })
  }

  /** No sign of life is under way, and none follows. */
  async #settled(): Promise<void> {
    this.#cancelBeat()
    await this.#beating
    this.#cancelBeat()
  }

  #beatLater(): void {
    this.#cancelBeat = this.#services.timers.after(this.#course.leaseMs / 3, () => {
      this.#beating = this.#beat()
    })
  }

  async #beat(): Promise<void> {
    const { queue, clock, log } = this.#services
    const { id, kind } = this.#lease.job
    const progressed = this.#progressed
    try {
      this.#lease = await queue.renew(this.#lease, this.#course.leaseMs, progressed)
      if (progressed) this.#progressed = false
    } catch (error) {
      // A store that fails for a while has not given the job to somebody else; a lease that has run out may have been.
      if (!(error instanceof LeaseLost) && clock.now() < this.#lease.untilMs)
        log.warn('job.not_renewed', { id, kind, cause: describe(error) })
      else return this.stop('lost')
    }
    this.#beatLater()
  }
}
