import type { Clock } from '../lib/clock.ts'
import type { Ids } from '../lib/ids.ts'
import { describe, type Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Timers } from '../lib/timers.ts'
import type { Handler } from '../platform/jobs/handler.ts'
import type { Queue } from '../store/queue/index.ts'
import { type Course, Running } from './running.ts'

export interface WorkerServices {
  queue: Queue
  clock: Clock
  timers: Timers
  random: Random
  ids: Ids
  log: Log
}

export interface WorkerOptions {
  handlers: readonly Handler[]
  /** It is the only one: what another one before it left unfinished is begun at once. */
  alone: boolean
  /** How long a job belongs to it without a sign of life. Default: 15,000. */
  leaseMs?: number
  /** How often it looks for work and for ends that were asked for. Default: 500. */
  pollMs?: number
}

export interface Worker {
  /** Looks for work from now on. @throws what the store throws */
  start(): Promise<void>
  /** How many jobs run now. */
  readonly running: number
  /** Begins nothing new. What runs may end for so long; then it is cut off and goes back to the queue. */
  drain(timeoutMs: number): Promise<void>
}

/** How long a job that was told to end may take to do so; after that its lease runs out by itself. */
const abortedMs = 5000

/** Runs jobs: claims what is due, holds on to it while it runs, and says what became of it. */
export function makeWorker(services: WorkerServices, options: WorkerOptions): Worker {
  return new PollingWorker(services, options)
}

class PollingWorker implements Worker {
  readonly #services: WorkerServices
  readonly #handlers: ReadonlyMap<string, Handler>
  readonly #alone: boolean
  readonly #leaseMs: number
  readonly #pollMs: number
  readonly #name: string
  readonly #courses = new Map<string, Running>()
  readonly #stopping = new AbortController()
  #cancelPoll = (): void => {}
  #unlisten = (): void => {}
  #looking: Promise<void> | undefined
  #lookAgain = false

  constructor(services: WorkerServices, { handlers, alone, leaseMs = 15_000, pollMs = 500 }: WorkerOptions) {
    this.#services = services
    this.#handlers = new Map(handlers.map(handler => [handler.kind, handler]))
    this.#alone = alone
    this.#leaseMs = leaseMs
    this.#pollMs = pollMs
    this.#name = services.ids.make('job').replace('job', 'worker').slice(0, 15)
  }

  get running(): number {
    return this.#courses.size
  }

  async start(): Promise<void> {
    const { queue, log } = this.#services
    if (this.#alone) {
      const left = await queue.takeOver()
      if (left > 0) log.info('jobs.taken_over', { jobs: left })
    }
    this.#unlisten = queue.onChange(() => this.#look())
    this.#look()
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#stopping.abort()
    this.#cancelPoll()
    this.#unlisten()
    await this.#looking
    const { timers } = this.#services
    if (await ends(this.#all(), timeoutMs, timers)) return
    for (const course of this.#courses.values()) course.stop('stopped')
    if (await ends(this.#all(), abortedMs, timers)) return
    this.#services.log.error('jobs.stuck', { kinds: [...this.#courses.values()].map(course => course.kind).join() })
  }

  #all(): Promise<unknown> {
    return Promise.all([...this.#courses.values()].map(course => course.ended))
  }

  /** One look at a time; whoever asks meanwhile gets another after it. */
  #look(): void {
    if (this.#stopping.signal.aborted) return
    this.#cancelPoll()
    this.#lookAgain = true
    this.#looking ??= this.#lookOver().finally(() => {
      this.#looking = undefined
      if (!this.#stopping.signal.aborted)
        this.#cancelPoll = this.#services.timers.after(this.#pollMs, () => this.#look())
    })
  }

  async #lookOver(): Promise<void> {
    while (this.#lookAgain && !this.#stopping.signal.aborted) {
      this.#lookAgain = false
      try {
        await this.#passOnCancels()
        await this.#claim()
      } catch (error) {
        // The store says in its own words what is wrong with it, and gets better; the next look shows it.
        this.#services.log.warn('jobs.not_claimed', { cause: describe(error) })
      }
    }
  }

  async #passOnCancels(): Promise<void> {
    const asked = await this.#services.queue.cancelAsked([...this.#courses.values()].map(course => course.token))
    for (const id of asked) this.#courses.get(id)?.stop('cancelled')
  }

  async #claim(): Promise<void> {
    const { queue, clock } = this.#services
    for (const handler of this.#handlers.values()) {
      const { kind, atOnce = 1 } = handler
      const busy = [...this.#courses.values()].filter(course => course.kind === kind).length
      const dueAt = busy < atOnce ? await queue.nextDueAt([kind]) : undefined
      if (dueAt === undefined || dueAt > clock.now() || this.#stopping.signal.aborted) continue
      const asked = { worker: this.#name, kinds: [kind], leaseMs: this.#leaseMs, most: atOnce - busy }
      for (const lease of await queue.claim(asked)) {
        const before = this.#courses.get(lease.job.id)
        before?.stop('lost') // its lease ran out while this process stood still, and it is ours again
        const course: Course = { handler, lease, leaseMs: this.#leaseMs, stopping: this.#stopping.signal }
        const running = new Running(course, this.#services)
        this.#courses.set(lease.job.id, running)
        void running.ended.then(() => {
          if (this.#courses.get(lease.job.id) === running) this.#courses.delete(lease.job.id)
          this.#look()
        })
      }
    }
  }
}

/** @returns false when it took longer */
async function ends(work: Promise<unknown>, withinMs: number, timers: Timers): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const cancel = timers.after(withinMs, () => resolve(false))
  const inTime = await Promise.race([work.then(() => true as const), late])
  cancel()
  return inTime
}
