import { WindowGauge } from '../../lib/gauge.ts'
import type { Engine } from '../engine.ts'
import { admitsFromMs, type Circuit, type CircuitEvent, closed, next } from './circuit.ts'
import type { Choosable } from './policies.ts'
import { hashOf } from './sticky.ts'

/** Of one model: those that were asked are bits of a number. */
export const targetsMax = 16

/** One of the engines that may answer. */
export interface RoutedTarget {
  readonly engine: Engine
  /** As the settings call it; callers who ask are told. */
  readonly upstream: string
  /** The model's name there. */
  readonly model: string
  /** How often it is chosen beside the others, under `weighted`. Default: 1. */
  readonly weight?: number
  /** Tokens of prompt and reply together; undefined: nobody said. */
  readonly contextTokens?: number
  /** What it costs whoever runs this server, for the policy `cost`: USD per million tokens. */
  readonly price?: { readonly input: number; readonly output?: number }
  readonly limits?: TargetLimits
}

/** How much a target is asked at most. */
export interface TargetLimits {
  /** Requests that run at once. */
  readonly concurrent?: number
  readonly requestsPerMinute?: number
  /** Counted as they are spent: when so many were spent within a minute, nothing new is sent there. */
  readonly tokensPerMinute?: number
}

const minuteMs = 60_000
/** How long to wait for one of the requests to end. */
const crowdMs = 250
/** Of each new measurement in the average. */
const newestPart = 0.3

/** A target and what is known of it. */
export class Target implements Choosable {
  readonly engine: Engine
  readonly upstream: string
  /** For log lines, such as `east/gpt-4o`. */
  readonly label: string
  readonly weight: number
  readonly costUsd: number | undefined
  readonly hash: number
  readonly contextTokens: number | undefined
  readonly #limits: TargetLimits
  readonly #requests: WindowGauge | undefined
  readonly #tokens: WindowGauge | undefined
  readonly #changed: (target: Target, before: Circuit) => void
  #circuit: Circuit = closed
  #running = 0
  #streamedMs: number | undefined
  #wholeMs: number | undefined

  constructor(target: RoutedTarget, changed: (target: Target, before: Circuit) => void) {
    const { engine, upstream, model, weight = 1, contextTokens, price, limits = {} } = target
    this.engine = engine
    this.upstream = upstream
    this.label = `${upstream}/${model}`
    this.weight = weight
    this.costUsd = price && usualCost(price)
    this.hash = hashOf(this.label)
    this.contextTokens = contextTokens
    this.#limits = limits
    if (limits.requestsPerMinute !== undefined) this.#requests = new WindowGauge(minuteMs)
    if (limits.tokensPerMinute !== undefined) this.#tokens = new WindowGauge(minuteMs)
    this.#changed = changed
  }

  get circuit(): Circuit {
    return this.#circuit
  }

  get running(): number {
    return this.#running
  }

  latencyMs(streamed: boolean): number | undefined {
    return streamed ? this.#streamedMs : this.#wholeMs
  }

  /** How long until it may be asked; 0 or less: now. */
  readyInMs(nowMs: number): number {
    const circuitMs = admitsFromMs(this.#circuit) - nowMs
    return circuitMs > 0 ? circuitMs : this.#limitedMs(nowMs)
  }

  /** Whether it is left alone because of a limit, its own or the one set here, and not because it fails. */
  get isLimited(): boolean {
    return this.#circuit.state === 'closed' || this.#circuit.state === 'limited'
  }

  /** A request goes there. @returns whether it is the one that tries a target which failed */
  enter(nowMs: number): boolean {
    this.#running++
    this.#requests?.take(nowMs, 1)
    if (this.#circuit.state === 'closed') return false
    this.tell({ kind: 'asked' }, nowMs)
    return this.#circuit.state === 'half-open'
  }

  /** The same request has ended. */
  leave(): void {
    this.#running--
  }

  tell(event: CircuitEvent, nowMs: number): void {
    const before = this.#circuit
    this.#circuit = next(before, event, nowMs)
    if (this.#circuit.state !== before.state) this.#changed(this, before)
  }

  took(ms: number, streamed: boolean): void {
    if (streamed) this.#streamedMs = averaged(this.#streamedMs, ms)
    else this.#wholeMs = averaged(this.#wholeMs, ms)
  }

  spent(tokens: number, nowMs: number): void {
    this.#tokens?.take(nowMs, tokens)
  }

  #limitedMs(nowMs: number): number {
    const { concurrent = Infinity, requestsPerMinute = Infinity, tokensPerMinute = Infinity } = this.#limits
    if (this.#running >= concurrent) return crowdMs
    return Math.max(beyond(this.#requests, requestsPerMinute, nowMs), beyond(this.#tokens, tokensPerMinute, nowMs))
  }
}

/** How long until there is room for one more. */
function beyond(gauge: WindowGauge | undefined, most: number, nowMs: number): number {
  if (gauge === undefined) return 0
  const over = gauge.used(nowMs) + 1 - most
  return over > 0 ? gauge.waitMs(nowMs, over) : 0
}

const averaged = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before + (ms - before) * newestPart

/** Most requests read about three times as much as they write. */
const usualCost = ({ input, output = 0 }: { input: number; output?: number }): number => (3 * input + output) / 4
