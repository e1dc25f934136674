import { setTimeout as wait } from 'node:timers/promises'
import type { Condition } from './condition.ts'
import { type Failure, mayPass } from './failure.ts'
import { packed, unpackedOutcomes } from './packing.ts'
import type { Outcome, Packed, Text, ToWriter } from './writer-messages.ts'
import type { WriterThread } from './writer-thread.ts'

/** Statements that happen together or not at all. */
export type Call = readonly CallStatement[]

export interface CallStatement extends Text {
  /** Only what `checkParameter` lets through. */
  readonly parameters: readonly unknown[]
  readonly expectChanges?: number | undefined
}

/** Bounds of one transaction and of what waits for the writer. Beyond the latter a call fails as `busy`. */
const maxGroupCalls = 1000
const maxWaitingCalls = 20_000
const maxWaitingBytes = 256 * 1024 * 1024

const retryMs = { first: 250, most: 5000 }

type Job =
  | { kind: 'group'; calls: readonly Call[]; bytes: number; settle(outcomes: readonly Outcome[]): void }
  | { kind: 'probe' }
  | { kind: 'alone'; message: ToWriter; settle(failure: Failure | undefined): void }

/**
 * The queue in front of the writer thread. Calls that arrive while the writer is busy wait, and go together as the next group: one
 * transaction, one fsync. So the number of commits follows the disk and not the number of callers.
 */
export class GroupCommit {
  readonly #thread: WriterThread
  readonly #condition: Condition
  readonly #stop = new AbortController()
  readonly counts = { commits: 0, calls: 0, waiting: 0 }
  #queue: Job[] = []
  #waitingBytes = 0
  #working = false
  #closed = false
  #retryInMs = retryMs.first
  #retrying = false

  constructor(thread: WriterThread, condition: Condition) {
    this.#thread = thread
    this.#condition = condition
  }

  /** One outcome a call, in order, after the commit. Each call is undone alone. Never rejects. */
  submit(calls: readonly Call[]): Promise<readonly Outcome[]> {
    const bytes = calls.reduce((sum, call) => sum + sizeOf(call), 0)
    const refusal = this.#refusal(calls.length, bytes)
    if (refusal !== undefined) return Promise.resolve(calls.map(() => ({ ok: false, failure: refusal })))
    this.counts.waiting += calls.length
    this.#waitingBytes += bytes
    return new Promise(settle => this.#push({ kind: 'group', calls, bytes, settle }))
  }

  /** After everything that was submitted before. */
  backup(path: string): Promise<Failure | undefined> {
    const refusal = this.#refusal(0, 0)
    if (refusal !== undefined) return Promise.resolve(refusal)
    return new Promise(settle => this.#push({ kind: 'alone', message: { kind: 'backup', path }, settle }))
  }

  /** After everything that was submitted before: the log is moved into the database and the thread ends. Takes nothing from now on. */
  async close(): Promise<Failure | undefined> {
    this.#closed = true
    this.#stop.abort()
    const failure = await new Promise<Failure | undefined>(settle =>
      this.#push({ kind: 'alone', message: { kind: 'close' }, settle }),
    )
    await this.#thread.end()
    return failure
  }

  #refusal(calls: number, bytes: number): Failure | undefined {
    if (this.#closed) return { kind: 'closed', message: 'the store is closed' }
    if (this.#condition.state === 'failed') return this.#dead()
    if (this.counts.waiting + calls > maxWaitingCalls || this.#waitingBytes + bytes > maxWaitingBytes)
      return { kind: 'busy', message: 'too many writes are waiting' }
    return undefined
  }

  #push(job: Job): void {
    this.#queue.push(job)
    if (this.#working) return
    this.#working = true
    // At the end of the turn, so that calls of the same turn share a group.
    queueMicrotask(() => this.#work())
  }

  /** Never rejects: the thread's death is an outcome. */
  async #work(): Promise<void> {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift())
      if (job.kind === 'group') await this.#runGroup(this.#gather(job))
      else if (job.kind === 'probe') await this.#commit([], true)
      else job.settle(await this.#runAlone(job.message))
    this.#working = false
  }

  /** The job and those right behind it, up to the bound of a group. */
  #gather(first: Job & { kind: 'group' }): (Job & { kind: 'group' })[] {
    const jobs = [first]
    let calls = first.calls.length
    for (let next = this.#queue[0]; next?.kind === 'group'; next = this.#queue[0]) {
      calls += next.calls.length
      if (calls > maxGroupCalls) break
      jobs.push(next)
      this.#queue.shift()
    }
    return jobs
  }

  async #runGroup(jobs: readonly (Job & { kind: 'group' })[]): Promise<void> {
    const calls = jobs.flatMap(job => job.calls)
    const outcomes = await this.#commit(calls, false)
    this.counts.waiting -= calls.length
    let at = 0
    for (const job of jobs) {
      this.#waitingBytes -= job.bytes
      job.settle(outcomes.slice(at, at + job.calls.length))
      at += job.calls.length
    }
  }

  async #commit(calls: readonly Call[], probe: boolean): Promise<readonly Outcome[]> {
    if (this.#condition.state === 'failed') return calls.map(() => ({ ok: false, failure: this.#dead() }))
    try {
      const answer = await this.#thread.ask({ kind: 'group', ...message(calls), probe })
      if (answer.kind !== 'group') throw new Error(`The writer answered a group with '${answer.kind}'.`)
      const outcomes = unpackedOutcomes(answer.outcomes)
      const failure = answer.failure ?? outcomes.find(isStoreFailure)?.failure
      this.#judge(failure, probe)
      const stored = outcomes.filter(outcome => outcome.ok).length
      if (stored > 0) this.counts.commits++
      this.counts.calls += stored
      return outcomes
    } catch {
      // The thread told its reason to the condition when it died.
      return calls.map(() => ({ ok: false, failure: this.#dead() }))
    }
  }

  async #runAlone(question: ToWriter): Promise<Failure | undefined> {
    try {
      return (await this.#thread.ask(question)).failure
    } catch {
      return this.#dead()
    }
  }

  #dead(): Failure {
    return { kind: 'sync', message: this.#condition.reason ?? 'the writer has failed' }
  }

  /** `failure`: of the store, not of a call. */
  #judge(failure: Failure | undefined, probe: boolean): void {
    if (failure === undefined) {
      if (!probe) this.#retryInMs = retryMs.first
      this.#condition.worked()
    } else if (mayPass(failure)) {
      this.#condition.failing(failure)
      this.#retry()
    } else if (failure.kind === 'sync') this.#condition.fail(failure)
  }

  /** Tries a small write after a while, so that the state heals without traffic. */
  #retry(): void {
    if (this.#retrying || this.#closed) return
    this.#retrying = true
    const delayMs = this.#retryInMs
    this.#retryInMs = Math.min(retryMs.most, 2 * delayMs)
    wait(delayMs, undefined, { signal: this.#stop.signal }).then(
      () => {
        this.#retrying = false
        if (this.#condition.state === 'failing') this.#push({ kind: 'probe' })
      },
      () => {}, // closed meanwhile
    )
  }
}

const isStoreFailure = (outcome: Outcome): outcome is Outcome & { ok: false } =>
  !outcome.ok && (outcome.failure.kind === 'sync' || mayPass(outcome.failure))

/** Each SQL text once: the calls of a group are mostly alike, and texts are the longest part of them. */
function message(calls: readonly Call[]): { texts: Text[]; calls: Packed } {
  const texts: Text[] = []
  const known = new Map<string, number>()
  const indexOf = ({ sql, selects, whole }: CallStatement): number => {
    let index = known.get(sql)
    if (index === undefined) {
      index = texts.push({ sql, selects, whole }) - 1
      known.set(sql, index)
    }
    return index
  }
  return {
    texts,
    calls: packed(
      calls.map(call =>
        call.map(statement => ({
          text: indexOf(statement),
          parameters: statement.parameters,
          expectChanges: statement.expectChanges,
        })),
      ),
    ),
  }
}

/** Roughly what the parameters hold in memory. */
function sizeOf(call: Call): number {
  let bytes = 0
  for (const { parameters } of call)
    for (const value of parameters)
      bytes += typeof value === 'string' ? 2 * value.length : value instanceof Uint8Array ? value.byteLength : 8
  return bytes
}
