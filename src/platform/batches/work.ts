import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { describe } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import type { BatchStatus } from '../../store/schema/batches.ts'
import { StaleWrite } from '../../store/store.ts'
import { allowedModels } from '../allowed-models.ts'
import type { Services } from '../execute.ts'
import { batchLinesMax } from '../files/jsonl/index.ts'
import { type Handler, type JobRun, ToBeContinued } from '../jobs/handler.ts'
import type { Operation } from '../operation.ts'
import { unanswered } from './answer.ts'
import { type Asking, ask } from './asking.ts'
import { Counting, countsOf } from './counting.ts'
import { Course, type Ending } from './course.ts'
import { canonical, checkInput, readInput } from './input.ts'
import { Journal, removeJournal } from './journal.ts'
import type { Lanes } from './lanes.ts'
import { Principal } from './principal.ts'
import { makeResults } from './results.ts'
import { batchOfJob, moving, openStatuses, updating } from './rows.ts'
import type { BatchRow, Problem } from './types.ts'

export interface WorkOptions {
  /** Those that a batch may ask. */
  operations: readonly Operation[]
  /** Where journals lie. */
  folder: string
  lanes: Lanes
  services(): Services
  timers: Timers
}

export const batchKind = 'batch.run'
/** For a disk that is full, or a quota that is used up: longer than a batch has. */
export const batchAttemptsMax = 40
/** So many batches are worked off at once; their lines share the lanes of their models. */
const atOnce = 16

/** Works batches off. */
export function batchHandler(options: WorkOptions): Handler {
  return {
    kind: batchKind,
    atOnce,
    cleansUp: true,
    async run(run) {
      const id = run.job.subject
      if (id === null) throw new Error('A job for a batch names none.')
      const batch = await batchOfJob(options.services().store, id)
      if (batch !== undefined && openStatuses.includes(batch.status)) await new Work(batch, run, options).toItsEnd()
      await removeJournal(join(options.folder, id))
    },
  }
}

/** One batch, in the hands of one worker. */
class Work {
  readonly #run: JobRun
  readonly #options: WorkOptions
  readonly #services: Services
  readonly #clock: Clock
  #batch: BatchRow

  constructor(batch: BatchRow, run: JobRun, options: WorkOptions) {
    this.#batch = batch
    this.#run = run
    this.#options = options
    this.#services = options.services()
    this.#clock = this.#services.clock
  }

  /** Resolves when the batch has ended, and its row says so. */
  async toItsEnd(): Promise<void> {
    const { job, signal, log } = this.#run
    const { id, expires_at: expiresAt } = this.#batch
    const course = new Course(this.#run, { expiresAt, clock: this.#clock, timers: this.#options.timers })
    try {
      await this.#work(course)
    } catch (error) {
      // What is wrong with the batch itself does not pass; everything else has been tried often enough in the end.
      const isFinal = isLasting(error) || job.attempt >= job.attemptsMax
      if (error instanceof ToBeContinued || signal.aborted || !isFinal) throw error
      log.error('batch.failed', { id, cause: describe(error) })
      await this.#fail([problemOf(error)])
    } finally {
      course.close()
    }
  }

  async #work(course: Course): Promise<void> {
    if (this.#batch.status === 'validating' && course.ending === undefined) {
      const problems = await this.#validate()
      if (problems.length > 0) return this.#fail(problems)
    }
    const journal = await Journal.open({
      ...{ folder: join(this.#options.folder, this.#batch.id), fence: this.#run.fence },
      ...{ linesMax: batchLinesMax, timers: this.#options.timers },
    })
    try {
      await this.#finish(journal, await this.#ask(journal, course))
    } finally {
      await journal.close()
    }
  }

  /** @returns what is wrong with the input; where nothing is, the batch is in progress */
  async #validate(): Promise<readonly Problem[]> {
    const input = await this.#input()
    try {
      const caller = await new Principal(this.#services, this.#batch).caller()
      const models = allowedModels(this.#services.models, caller)
      const refused = (model: string) => faultOf(() => models.resolve(model))
      const { total, model, problems } = await checkInput(input.bytes, { operation: this.#operation(), refused })
      const begun = { status: 'in_progress', in_progress_at: this.#clock.now(), total, model } as const
      if (problems.length === 0) await this.#move(['validating'], begun)
      return problems
    } finally {
      await input.close()
    }
  }

  /** Asks what has not been answered yet. */
  async #ask(journal: Journal, course: Course): Promise<Exclude<Ending, 'stopping'>> {
    const { model, total, id } = this.#batch
    const isDone = () => journal.sums.completed + journal.sums.failed >= total
    if (model !== null && !isDone() && course.ending === undefined) {
      const { lanes, timers } = this.#options
      const services = this.#services
      const { store } = services
      const asking = { operation: this.#operation(), model, principal: new Principal(services, this.#batch) }
      const counting = new Counting({ journal, run: this.#run, store, clock: this.#clock, id })
      await this.#askAll({ ...asking, lanes, services, timers }, { journal, course, counting })
    }
    // Also when all was answered before its end was asked for: it ends as whoever asked expects it.
    if (course.ending === 'cancelled') return 'cancelled'
    // Whoever told that requests were not asked may have died before the batch could say why.
    if (model !== null && isDone()) return journal.sums.unasked > 0 ? 'expired' : 'done'
    const { ending = 'stopping' } = course
    if (ending === 'stopping') throw new ToBeContinued()
    return ending
  }

  async #askAll(
    asking: Asking,
    { journal, course, counting }: { journal: Journal; course: Course; counting: Counting },
  ): Promise<void> {
    const input = await this.#input()
    const lines = readInput(input.bytes)
    const askOn = async () => {
      while (course.ending === undefined) {
        const { done, value: line } = await lines.next()
        if (done === true) return
        if (journal.has(line.index)) continue
        const answer = await ask(line, asking, course.signal).catch((error: unknown) => {
          if (!course.signal.aborted) throw error
        })
        if (answer === undefined) return
        await journal.add(answer.entry, answer.text)
        await counting.tell()
      }
    }
    try {
      const width = this.#options.lanes.widthOf(nameOf(asking))
      const outcomes = await Promise.allSettled(Array.from({ length: width }, askOn))
      await journal.flush()
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      await counting.tell(true)
    } finally {
      await lines.return(undefined)
      await input.close()
    }
  }

  /** Every request has an answer, and the batch its files. */
  async #finish(journal: Journal, ending: Exclude<Ending, 'stopping'>): Promise<void> {
    if (ending !== 'done') await this.#fill(journal, `batch_${ending}`)
    else if (this.#batch.status !== 'finalizing')
      await this.#move(['in_progress'], { status: 'finalizing', finalizing_at: this.#clock.now() })
    await this.#run.write([updating(this.#services.store, this.#batch.id, countsOf(journal.sums))])
    await makeResults(this.#batch, journal, this.#run, this.#services)
    const nowMs = this.#clock.now()
    if (ending === 'cancelled') return this.#move(['cancelling'], { status: 'cancelled', cancelled_at: nowMs })
    if (ending === 'expired') return this.#move(openStatuses, { status: 'expired', expired_at: nowMs })
    return this.#move(['finalizing'], { status: 'completed', completed_at: nowMs })
  }

  /** What was not asked any more is told as such. */
  async #fill(journal: Journal, why: 'batch_expired' | 'batch_cancelled'): Promise<void> {
    if (this.#batch.model === null) return
    const input = await this.#input()
    try {
      for await (const line of readInput(input.bytes))
        if (!journal.has(line.index)) {
          const { entry, text } = unanswered(line, this.#services.ids.make('batchRequest'), why)
          await journal.add(entry, text)
        }
      await journal.flush()
    } finally {
      await input.close()
    }
  }

  #fail(problems: readonly Problem[]): Promise<void> {
    return this.#move(openStatuses, {
      status: 'failed',
      failed_at: this.#clock.now(),
      errors: JSON.stringify(problems),
    })
  }

  /** @throws ToBeContinued when its end was asked for meanwhile: then that is the next thing to do */
  async #move(from: readonly BatchStatus[], change: Partial<BatchRow> & { status: BatchStatus }): Promise<void> {
    const { store } = this.#services
    await this.#run.write([moving(store, this.#batch.id, from, change)]).catch(async (error: unknown) => {
      const now = error instanceof StaleWrite ? await batchOfJob(store, this.#batch.id) : undefined
      throw now?.status === 'cancelling' && !from.includes('cancelling') ? new ToBeContinued() : error
    })
    this.#batch = { ...this.#batch, ...change }
  }

  #input() {
    const { organization_id: organizationId, project_id: projectId, input_file_id: id } = this.#batch
    return this.#services.files.open({ organizationId, projectId }, id)
  }

  #operation(): Operation {
    const path = canonical(this.#batch.endpoint)
    const found = this.#options.operations.find(operation => operation.path === path)
    if (found === undefined) throw new Error(`There is no operation ${path} for batches.`)
    return found
  }
}

/** Whether trying again is no use: the input is gone, or whoever made the batch. */
const isLasting = (error: unknown): boolean =>
  error instanceof Fault &&
  (error.code === 'file_damaged' || [400, 401, 403, 404].includes(error.status)) &&
  error.code !== 'storage_quota_exceeded'

const problemOf = (error: unknown): Problem => ({
  code: error instanceof Fault && error.code !== null ? error.code : 'internal_error',
  message: error instanceof Fault ? error.message : 'The server had an error while it worked off the batch.',
  param: null,
  line: null,
})

function faultOf(work: () => unknown): Fault | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}

/** Of what answers: a model may have several names. One that has gone keeps the name it was asked by, and every line is told so. */
function nameOf({ services, model }: Asking): string {
  let name = model
  faultOf(() => {
    name = services.models.resolve(model).name
  })
  return name
}
