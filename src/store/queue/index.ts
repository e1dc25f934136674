import { type ExpressionBuilder, sql, type UpdateObject } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import { StaleWrite } from '../failure.ts'
import type { JobEventsTable, JobStatus, JobsTable } from '../schema/jobs.ts'
import type { Database } from '../schema.ts'
import type { Statement, Store } from '../store.ts'
import { type ClaimOptions, type Job, type JobState, type Lease, LeaseLost, type NewJob, type Queue } from './types.ts'

export { backOffMs, usualRetryMs } from './back-off.ts'
export { type Job, type JobState, type Lease, LeaseLost, type NewJob, type Queue, type Schedule } from './types.ts'

export interface QueueServices {
  store: Store
  clock: Clock
  ids: Ids
}

const payloadBytesMax = 65_536
const errorLengthMax = 2000
const usualAttemptsMax = 8
const open: readonly JobStatus[] = ['waiting', 'running']

/** The queue over tables of the store; on either dialect. */
export function makeQueue(services: QueueServices): Queue {
  return new StoredQueue(services)
}

type JobsEb = ExpressionBuilder<Database, 'jobs'>
type Named = { id: string } | { kind: string; subject: string }

class StoredQueue implements Queue {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #listeners = new Set<() => void>()

  constructor({ store, clock, ids }: QueueServices) {
    this.#store = store
    this.#clock = clock
    this.#ids = ids
  }

  async enqueue(job: NewJob): Promise<string | undefined> {
    const { id, statements } = this.enqueuing(job)
    const [inserted] = await this.#store.write(statements)
    this.changed()
    return inserted?.changes === 1 ? id : undefined
  }

  enqueuing(job: NewJob): { id: string; statements: readonly Statement[] } {
    const nowMs = this.#clock.now()
    const row = this.#row(job, { nowMs, everyMs: null })
    const insert = this.#store.build.insertInto('jobs').values(row)
    return {
      id: row.id,
      statements: [
        insert.onConflict(conflict => conflict.column('open_key').doNothing()),
        this.#event('enqueued', eb => eb('id', '=', row.id), nowMs),
      ],
    }
  }

  async schedule({ kind, payload, everyMs, firstAt }: Parameters<Queue['schedule']>[0]): Promise<void> {
    if (!Number.isSafeInteger(everyMs) || everyMs < 1000)
      throw new RangeError(`${kind} cannot run every ${everyMs} ms.`)
    const nowMs = this.#clock.now()
    const job = { kind, payload, subject: 'schedule', ...(firstAt !== undefined && { runAt: firstAt }) }
    const row = this.#row(job, { nowMs, everyMs })
    const insert = this.#store.build.insertInto('jobs').values(row)
    await this.#store.write([
      insert.onConflict(conflict =>
        conflict.column('open_key').doUpdateSet({ every_ms: everyMs, payload: row.payload }),
      ),
      this.#event('enqueued', eb => eb('id', '=', row.id), nowMs),
    ])
    this.changed()
  }

  async claim({ worker, kinds, leaseMs, most }: ClaimOptions): Promise<Lease[]> {
    if (kinds.length === 0 || most < 1) return []
    const nowMs = this.#clock.now()
    const token = `${worker}/${this.#ids.make('job').slice(4)}`
    const isDue = (eb: JobsEb) => eb.and([eb('status', 'in', open), eb('due_at', '<=', nowMs), eb('kind', 'in', kinds)])
    const isHopeless = (eb: JobsEb) =>
      eb.and([
        isDue(eb),
        eb('every_ms', 'is', null),
        eb('cancel_at', 'is', null),
        eb('attempts', '>=', eb.ref('attempts_max')),
      ])
    const [, , claimed] = await this.#store.write([
      // Nobody came back to say what happened: those that end their worker each time must not do so for ever.
      this.#event('dead', isHopeless, nowMs, lostMessage),
      this.#store.build
        .updateTable('jobs')
        .set(eb => ({ ...ended('dead', nowMs), error: eb.fn.coalesce('error', sql.val(lostMessage)) }))
        .where(isHopeless),
      this.#store.build
        .updateTable('jobs')
        .set(eb => ({
          status: 'running',
          lease: token,
          fence: eb('fence', '+', 1),
          attempts: eb('attempts', '+', 1),
          due_at: nowMs + leaseMs,
        }))
        .where('id', 'in', eb =>
          eb
            .selectFrom('jobs')
            .select('id')
            .where(isDue)
            .orderBy('priority', 'desc')
            .orderBy('due_at')
            .orderBy('id')
            .limit(most),
        )
        // Said again outside: where two claim at once, PostgreSQL looks at the row as the first has left it by this alone.
        .where(isDue)
        .returningAll(),
      this.#event('claimed', eb => eb('lease', '=', token), nowMs, worker),
    ])
    return claimed.rows.sort(byUrgency).map(row => ({ job: jobOf(row), token, fence: row.fence, untilMs: row.due_at }))
  }

  async renew(lease: Lease, leaseMs: number, progressed: boolean): Promise<Lease> {
    const untilMs = this.#clock.now() + leaseMs
    await this.#fenced(lease, { due_at: untilMs, ...(progressed && { attempts: 1, error: null }) }, [])
    return { ...lease, untilMs, ...(progressed && { job: { ...lease.job, attempt: 1 } }) }
  }

  held(lease: Lease): Statement {
    return this.#held(lease, { status: 'running' })
  }

  async write(lease: Lease, statements: readonly Statement[]): Promise<void> {
    await this.#fenced(lease, { status: 'running' }, statements)
  }

  async finish(lease: Lease, beside: readonly Statement[] = []): Promise<void> {
    const nowMs = this.#clock.now()
    const { everyMs } = lease.job
    const event = this.#eventOf('done', lease, nowMs)
    const after = everyMs === null ? ended('done', nowMs) : { ...again(nowMs + everyMs), attempts: 0, cancel_at: null }
    await this.#fenced(lease, { ...after, error: null }, [...beside, event])
  }

  async fail(lease: Lease, error: string, inMs: number | null): Promise<'retried' | 'dead'> {
    const nowMs = this.#clock.now()
    const { attempt, attemptsMax, everyMs } = lease.job
    const detail = error.slice(0, errorLengthMax)
    const isLast = inMs === null || attempt >= attemptsMax
    if (isLast && everyMs === null) {
      await this.#fenced(lease, { ...ended('dead', nowMs), error: detail }, [
        this.#eventOf('dead', lease, nowMs, detail),
      ])
      return 'dead'
    }
    const waitMs = isLast ? (everyMs ?? 0) : inMs
    const after = { ...again(nowMs + waitMs), error: detail, ...(isLast && { attempts: 0 }) }
    await this.#fenced(lease, after, [this.#eventOf('retried', lease, nowMs, detail)])
    return 'retried'
  }

  async release(lease: Lease): Promise<void> {
    const nowMs = this.#clock.now()
    const after = { ...again(nowMs), attempts: sql<number>`attempts - 1` }
    await this.#fenced(lease, after, [this.#eventOf('released', lease, nowMs)])
    this.changed()
  }

  async cancelled(lease: Lease): Promise<void> {
    const nowMs = this.#clock.now()
    await this.#fenced(lease, ended('cancelled', nowMs), [this.#eventOf('cancelled', lease, nowMs)])
  }

  cancelling(job: Named): readonly Statement[] {
    const nowMs = this.#clock.now()
    const isOpen = (eb: JobsEb) =>
      eb.and([
        'id' in job ? eb('id', '=', job.id) : eb('open_key', '=', openKey(job.kind, job.subject)),
        eb('status', 'in', open),
        eb('cancel_at', 'is', null),
      ])
    return [
      this.#event('cancel_asked', isOpen, nowMs),
      // One that waits for its time is looked at now.
      this.#store.build
        .updateTable('jobs')
        .set(eb => ({
          cancel_at: nowMs,
          due_at: eb.case().when('status', '=', 'waiting').then(nowMs).else(eb.ref('due_at')).end(),
        }))
        .where(isOpen),
    ]
  }

  async cancel(job: Named): Promise<void> {
    await this.#store.write(this.cancelling(job))
    this.changed()
  }

  async cancelAsked(tokens: readonly string[]): Promise<ReadonlySet<string>> {
    if (tokens.length === 0) return new Set()
    const rows = await this.#store.read
      .selectFrom('jobs')
      .select('id')
      .where('lease', 'in', tokens)
      .where('cancel_at', 'is not', null)
      .execute()
    return new Set(rows.map(row => row.id))
  }

  async takeOver(): Promise<number> {
    const { changes } = await this.#store.write(
      this.#store.build
        .updateTable('jobs')
        .set(eb => ({ due_at: this.#clock.now(), fence: eb('fence', '+', 1) }))
        .where('status', '=', 'running'),
    )
    return changes
  }

  async nextDueAt(kinds: readonly string[]): Promise<number | undefined> {
    if (kinds.length === 0) return undefined
    const row = await this.#store.read
      .selectFrom('jobs')
      .select('due_at')
      .where('status', 'in', open)
      .where('kind', 'in', kinds)
      .orderBy('due_at')
      .limit(1)
      .executeTakeFirst()
    return row?.due_at
  }

  async countOpen(kind: string): Promise<number> {
    const row = await this.#store.read
      .selectFrom('jobs')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('kind', '=', kind)
      .where('status', 'in', open)
      .executeTakeFirstOrThrow()
    return row.count
  }

  async find(id: string): Promise<JobState | undefined> {
    const row = await this.#store.read.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst()
    if (row === undefined) return undefined
    const { kind, status, due_at: dueAt, attempts, error, cancel_at: cancelAskedAt, fence } = row
    return { id, kind, status, dueAt, attempts, error, cancelAskedAt, fence }
  }

  async sweep(beforeMs: number): Promise<number> {
    const { build } = this.#store
    const scheduled = (eb: ExpressionBuilder<Database, 'job_events'>) =>
      eb.selectFrom('jobs').select('jobs.id').where('every_ms', 'is not', null)
    const [gone] = await this.#store.write([
      build.deleteFrom('jobs').where('ended_at', '<', beforeMs),
      build.deleteFrom('job_events').where('job_id', 'in', scheduled).where('created_at', '<', beforeMs),
    ])
    return gone.changes
  }

  onChange(run: () => void): () => void {
    this.#listeners.add(run)
    return () => this.#listeners.delete(run)
  }

  changed(): void {
    for (const run of this.#listeners) run()
  }

  #row(job: NewJob, { nowMs, everyMs }: { nowMs: number; everyMs: number | null }): JobsTable {
    const { kind, subject = null, organizationId = null, priority = 0, runAt = nowMs } = job
    const payload = JSON.stringify(job.payload)
    if (!/^[a-z][a-z_.]{0,63}$/.test(kind)) throw new RangeError(`'${kind}' is no kind of jobs.`)
    if (Buffer.byteLength(payload) > payloadBytesMax)
      throw new RangeError(`What a job of kind ${kind} is told is longer than ${payloadBytesMax} bytes.`)
    return {
      ...{ id: this.#ids.make('job'), kind, subject, payload, priority, organization_id: organizationId },
      open_key: subject === null ? null : openKey(kind, subject),
      status: 'waiting',
      due_at: runAt,
      attempts: 0,
      attempts_max: job.attemptsMax ?? usualAttemptsMax,
      lease: null,
      fence: 0,
      cancel_at: null,
      every_ms: everyMs,
      error: null,
      created_at: nowMs,
      ended_at: null,
    }
  }

  /** Changes the job and whatever comes with it, if it is still ours. */
  async #fenced(lease: Lease, change: UpdateObject<Database, 'jobs'>, more: readonly Statement[]): Promise<void> {
    await this.#store.write([this.#held(lease, change), ...more]).catch(async (error: unknown) => {
      if (error instanceof StaleWrite && !(await this.#holds(lease)))
        throw new LeaseLost(lease.job.id, { cause: error })
      throw error
    })
  }

  #held({ job: { id }, token, fence }: Lease, change: UpdateObject<Database, 'jobs'>): Statement {
    const statement = this.#store.build
      .updateTable('jobs')
      .set(change)
      .where('id', '=', id)
      .where('lease', '=', token)
      .where('fence', '=', fence)
      .where('status', '=', 'running')
    return { statement, expectChanges: 1 }
  }

  async #holds({ job: { id }, token, fence }: Lease): Promise<boolean> {
    const row = await this.#store.read
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', id)
      .where('lease', '=', token)
      .where('fence', '=', fence)
      .where('status', '=', 'running')
      .executeTakeFirst()
    return row !== undefined
  }

  #eventOf(event: JobEventsTable['event'], { job }: Lease, nowMs: number, detail: string | null = null): Statement {
    return this.#event(event, eb => eb('id', '=', job.id), nowMs, detail)
  }

  /** One for each job that the condition names, at the moment of the statement. */
  #event(
    event: JobEventsTable['event'],
    which: (eb: JobsEb) => ReturnType<JobsEb['and']> | ReturnType<JobsEb>,
    nowMs: number,
    detail: string | null = null,
  ): Statement {
    return this.#store.build
      .insertInto('job_events')
      .columns(['job_id', 'number', 'created_at', 'event', 'fence', 'detail'])
      .expression(eb =>
        eb
          .selectFrom('jobs')
          .select(inner => [
            'id',
            sql<number>`(select coalesce(max(number), 0) + 1 from job_events where job_id = ${sql.ref('jobs.id')})`.as(
              'number',
            ),
            sql.val(nowMs).as('created_at'),
            sql.val(event).as('event'),
            inner.ref('fence').as('fence'),
            sql.val(detail).as('detail'),
          ])
          .where(which),
      )
  }
}

const lostMessage = 'Its workers ended again and again while they ran it.'
const openKey = (kind: string, subject: string): string => `${kind}:${subject}`
const ended = (status: JobStatus, nowMs: number) => ({ status, ended_at: nowMs, lease: null, open_key: null })
const again = (dueAt: number) => ({ status: 'waiting' as const, due_at: dueAt, lease: null })

const byUrgency = (one: JobsTable, other: JobsTable): number =>
  other.priority - one.priority || one.created_at - other.created_at || (one.id < other.id ? -1 : 1)

const jobOf = (row: JobsTable): Job => ({
  id: row.id,
  kind: row.kind,
  subject: row.subject,
  payload: JSON.parse(row.payload),
  attempt: row.attempts,
  attemptsMax: row.attempts_max,
  isCancelled: row.cancel_at !== null,
  everyMs: row.every_ms,
})
