import type { Clock } from '../../lib/clock.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { Timers } from '../../lib/timers.ts'
import type { Call, Engine } from '../engine.ts'
import { noted } from '../tried.ts'
import { Attempt } from './attempt.ts'
import { backOffMs, RetryBudget } from './budget.ts'
import type { Circuit } from './circuit.ts'
import { type Policy, type PolicyName, policies } from './policies.ts'
import { conversationOf } from './sticky.ts'
import { type RoutedTarget, Target, targetsMax } from './target.ts'
import { type Verdict, verdictOf } from './verdict.ts'

export interface RouterOptions {
  /** Of the model, for messages and log lines. */
  name: string
  /** In the order of the settings; at least one, at most `targetsMax`. */
  targets: readonly RoutedTarget[]
  /** Default: `priority`. */
  policy?: PolicyName
  /** Conversations stay with their target, for the sake of its cache. */
  sticky?: boolean
  /** No attempt begins later than so long after the request; 600,000 ms, as long as OpenAI's clients wait. */
  deadlineMs?: number
  /** A line for each attempt, not only for those that failed and what came after them. */
  logsAttempts?: boolean
  clock: Clock
  random: Random
  timers: Timers
  log: Log
}

/** Rounds after the first in which the same targets are asked again. */
const roundsMax = 2
/** A request does not wait longer than this for the next round: its client is told how long to wait, and knows better. */
const waitMsMax = 5000
const usualDeadlineMs = 600_000

/** A request, and how a target is asked. */
export interface Work<Reply> {
  readonly request: object
  readonly call: Call
  readonly streamed: boolean
  /** Settles when the reply has begun; what it throws before may send the request elsewhere. */
  ask(engine: Engine, attempt: Attempt): Promise<Reply>
}

/** Who answered. The attempt must be ended when the reply is over. */
export interface Answered<Reply> {
  readonly reply: Reply
  readonly attempt: Attempt
}

/** Where a request stands. */
interface Course {
  readonly startedMs: number
  readonly conversation: number | undefined
  /** Bits of the targets that were asked in this round. */
  tried: number
  round: number
  attempts: number
  /** Only targets that take more tokens. */
  aboveTokens: number
  last: { readonly error: unknown; readonly verdict: Verdict } | undefined
}

/**
 * Sends each request to one of several targets, and on to the next when that one fails before its reply has begun. Every target is asked
 * once in a round; asking one again is a retry, which needs room in the budget, and a pause.
 */
export class Router {
  readonly targets: readonly Target[]
  readonly #options: RouterOptions
  readonly #choose: Policy
  readonly #deadlineMs: number
  readonly #budget = new RetryBudget()
  readonly #monotonic: () => number

  constructor(options: RouterOptions) {
    const { targets, policy = 'priority', deadlineMs = usualDeadlineMs, clock } = options
    if (targets.length === 0 || targets.length > targetsMax)
      throw new RangeError(`A routed model has 1 to ${targetsMax} targets, not ${targets.length}.`)
    this.#options = options
    this.#choose = policies[policy]
    this.#deadlineMs = deadlineMs
    this.#monotonic = () => clock.monotonic()
    this.targets = targets.map(target => new Target(target, (one, before) => this.#turned(one, before)))
  }

  /**
   * @throws Fault of the last target that was asked, or that none may be asked; the signal's reason when the caller has left
   */
  async answer<Reply>(work: Work<Reply>): Promise<Answered<Reply>> {
    const { call, request } = work
    const startedMs = this.#monotonic()
    const conversation = this.#options.sticky === true ? conversationOf(request, call.tenant) : undefined
    const course: Course = {
      ...{ startedMs, conversation, tried: 0, round: 0, attempts: 0, aboveTokens: -1, last: undefined },
    }
    this.#budget.request(startedMs)
    for (;;) {
      call.signal.throwIfAborted()
      const target = this.#pick(course, work.streamed)
      if (target !== undefined) {
        const answered = await this.#attempt(work, target, course)
        if (answered !== undefined) return answered
        continue
      }
      const waitMs = this.#waitMs(course)
      if (waitMs === undefined) throw this.#refusal(course)
      course.round++
      course.tried = 0
      await pause(waitMs, call.signal, this.#options.timers)
    }
  }

  /** A reply broke off after it had begun: it is not asked for again, but counts against its target. */
  broke({ target }: Attempt, error: unknown): void {
    if (verdictOf(error, this.#options.clock.now()).target !== 'failed') return
    target.tell({ kind: 'failed', trial: false }, this.#monotonic())
  }

  /** The next target of this round; undefined when none is left, or the request has ended. */
  #pick({ tried, aboveTokens, conversation, last, startedMs }: Course, streamed: boolean): Target | undefined {
    const nowMs = this.#monotonic()
    if (last !== undefined && (last.verdict.asks === 'nobody' || nowMs - startedMs >= this.#deadlineMs))
      return undefined
    const free: Target[] = []
    for (const [place, target] of this.targets.entries())
      if ((tried & (1 << place)) === 0 && takes(target, aboveTokens) && target.readyInMs(nowMs) <= 0) free.push(target)
    const [first, ...others] = free
    if (first === undefined) return undefined
    return this.#choose([first, ...others], { streamed, conversation }, this.#options.random)
  }

  /** @returns undefined when it failed in a way that leaves others to be asked, or the course to be ended */
  async #attempt<Reply>(
    { call, streamed, ask }: Work<Reply>,
    target: Target,
    course: Course,
  ): Promise<Answered<Reply> | undefined> {
    course.tried |= 1 << this.targets.indexOf(target)
    course.attempts++
    const attempt = new Attempt(call, target, this.#monotonic)
    try {
      const reply = await noted(call.route, target.upstream, () => ask(target.engine, attempt))
      this.#learn(attempt, call.signal.aborted ? 'left' : 'answered', streamed)
      attempt.bill()
      if (course.attempts > 1 || this.#options.logsAttempts === true) this.#note(attempt, call, course, 'ok')
      return { reply, attempt }
    } catch (error) {
      attempt.end()
      if (call.signal.aborted) {
        attempt.bill() // the target has read the prompt all the same
        this.#learn(attempt, 'left', streamed)
        throw error
      }
      course.last = { error, verdict: verdictOf(error, this.#options.clock.now()) }
      this.#judge(attempt, course, call, error)
      return undefined
    }
  }

  #judge(attempt: Attempt, course: Course, call: Call, error: unknown): void {
    const { target, isTrial: trial } = attempt
    const verdict = course.last?.verdict
    const nowMs = this.#monotonic()
    if (verdict?.target === 'limited')
      target.tell({ kind: 'limited', trial, untilMs: nowMs + (verdict.afterMs ?? 0) }, nowMs)
    else
      target.tell(
        { kind: verdict?.target === 'failed' || verdict?.target === 'answered' ? verdict.target : 'left', trial },
        nowMs,
      )
    if (verdict?.asks === 'larger') course.aboveTokens = Math.max(course.aboveTokens, target.contextTokens ?? 0)
    this.#note(attempt, call, course, error)
  }

  #learn(attempt: Attempt, kind: 'answered' | 'left', streamed: boolean): void {
    const { target, isTrial: trial, startedMs } = attempt
    const nowMs = this.#monotonic()
    target.tell({ kind, trial }, nowMs)
    if (kind === 'answered') target.took(nowMs - startedMs, streamed)
  }

  /** How long until the next round; undefined: there is none. */
  #waitMs({ last, round, aboveTokens, startedMs }: Course): number | undefined {
    if (round >= roundsMax || (last !== undefined && last.verdict.asks !== 'others')) return undefined
    const nowMs = this.#monotonic()
    const readyMs = this.#readyInMs(nowMs, aboveTokens)
    const waitMs = Math.max(backOffMs(round + 1, this.#options.random), readyMs, last?.verdict.afterMs ?? 0)
    if (waitMs > waitMsMax || nowMs + waitMs - startedMs >= this.#deadlineMs) return undefined
    return this.#budget.take(nowMs) ? waitMs : undefined
  }

  #readyInMs(nowMs: number, aboveTokens: number): number {
    let soonest = Number.POSITIVE_INFINITY
    for (const target of this.targets)
      if (takes(target, aboveTokens)) soonest = Math.min(soonest, target.readyInMs(nowMs))
    return soonest
  }

  /** What the caller is told: what the last target said, or that none may be asked. */
  #refusal({ last, aboveTokens }: Course): unknown {
    if (last !== undefined) return last.error
    const { name } = this.#options
    const nowMs = this.#monotonic()
    const waitMs = Math.max(0, this.#readyInMs(nowMs, aboveTokens))
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
    const soonest = this.targets.find(target => target.readyInMs(nowMs) <= waitMs)
    if (soonest?.isLimited === true) return fault.routeLimited(name, retryAfterSeconds)
    const cause = new Error('Every target has failed too often, and is left alone for a while.')
    return fault.upstreamUnavailable(name, { 'retry-after': String(retryAfterSeconds) }, cause)
  }

  #note({ target, startedMs }: Attempt, call: Call, { attempts }: Course, outcome: unknown): void {
    const ms = Math.round(this.#monotonic() - startedMs)
    const fields = { requestId: call.requestId, model: this.#options.name, target: target.label, attempt: attempts, ms }
    if (outcome === 'ok') call.log.info('upstream.attempt', { ...fields, outcome })
    else {
      const { code, status } = outcome instanceof Fault ? outcome : { code: null, status: null }
      call.log.warn('upstream.attempt', { ...fields, outcome: code ?? 'failed', status, cause: causeOf(outcome) })
    }
  }

  #turned(target: Target, before: Circuit): void {
    const { state } = target.circuit
    const fields = { model: this.#options.name, target: target.label, state, before: before.state }
    if (state === 'open') this.#options.log.warn('upstream.circuit', fields)
    else this.#options.log.info('upstream.circuit', fields)
  }
}

/** Of a fault the cause alone: its message may hold words of the upstream. */
const causeOf = (error: unknown): string | undefined => {
  const cause = error instanceof Fault ? error.cause : error
  return cause === undefined ? undefined : describe(cause)
}

/** Whether a request that was too long for another may fit here. */
const takes = ({ contextTokens = 0 }: Target, aboveTokens: number): boolean =>
  aboveTokens < 0 || contextTokens > aboveTokens

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal, timers: Timers): Promise<void> {
  return new Promise(resolve => {
    const wake = () => {
      cancel()
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = timers.after(ms, wake)
    signal.addEventListener('abort', wake, { once: true })
  })
}
