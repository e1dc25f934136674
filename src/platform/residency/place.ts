import type { Engine, EngineStatus, Resident } from '../../engines/engine.ts'
import type { Clock } from '../../lib/clock.ts'

/**
 * Where a model is on its way into memory and out of it again:
 * out → sizing (how large is it?) → queued (is there room?) → loading → in → unloading → out.
 */
export type Phase = 'out' | 'sizing' | 'queued' | 'loading' | 'in' | 'unloading' | 'closed'

/** A request that waits for its model; either call is the last. */
export interface Waiter {
  grant(): void
  refuse(reason: unknown): void
}

/** What is told of a model. Times are milliseconds since the Unix epoch. */
export interface ResidentState {
  readonly name: string
  readonly state: EngineStatus['state']
  /** What it takes now. */
  readonly bytes: number
  /** What it was last thought to take before it was loaded. */
  readonly estimatedBytes: number | undefined
  readonly loadedAtMs: number | undefined
  readonly lastUsedAtMs: number | undefined
  /** When it is unloaded if nothing asks for it. */
  readonly expiresAtMs: number | undefined
  readonly running: number
  readonly queued: number
}

/** One model, in memory or not: how it is used, and what it takes. */
export class Place {
  readonly engine: Engine
  readonly resident: Resident
  /** How long it stays without requests; 0: for ever. */
  readonly idleMs: number
  readonly waiting = new Set<Waiter>()
  phase: Phase = 'out'
  running = 0
  /** Takes no new requests: as soon as it is idle, it makes room for another model. */
  leaving = false
  /** What it takes once it is loaded, as far as is known. */
  needsBytes = 0
  /** The larger, the more recently it was used. */
  turn = 0
  queuedAtMs = 0
  /** On the monotonic clock. */
  loadedMs = 0
  /** While it is unloading: settles when that is done. */
  gone: Promise<void> = Promise.resolve()
  /** Ends the wait for requests. */
  stopRest: () => void = () => {}
  expiresAtMs: number | undefined
  readonly #clock: Clock
  #estimate: number | undefined
  /** What it took when it was loaded, and the estimate that it corrects. */
  #seen: { readonly estimate: number | undefined; readonly bytes: number } | undefined
  #bytesBefore = 0
  #loadedAtMs: number | undefined
  #lastUsedAtMs: number | undefined

  constructor(engine: Engine, resident: Resident, { idleMs, clock }: { idleMs: number; clock: Clock }) {
    this.engine = engine
    this.resident = resident
    this.idleMs = idleMs
    this.#clock = clock
  }

  /** Loaded, and free to take a request. */
  get serves(): boolean {
    return this.phase === 'in' && !this.leaving && this.engine.status().state === 'ready'
  }

  get isIdle(): boolean {
    return this.phase === 'in' && this.running === 0
  }

  /** What it takes of the budget. */
  bytes(): number {
    if (this.phase === 'loading') return this.needsBytes
    if (this.phase === 'in') return this.resident.bytes()
    return this.phase === 'unloading' || this.phase === 'closed' ? this.#bytesBefore : 0
  }

  /** Asks how large it is: the estimate, or what it really took when it was loaded with the same estimate. */
  async size(): Promise<void> {
    this.#estimate = await this.resident.estimateBytes()
    const seen = this.#seen
    this.needsBytes = (seen?.estimate === this.#estimate ? seen?.bytes : undefined) ?? this.#estimate ?? 0
  }

  loaded(): void {
    this.phase = 'in'
    this.needsBytes = this.resident.bytes()
    this.#seen = { estimate: this.#estimate, bytes: this.needsBytes }
    this.loadedMs = this.#clock.monotonic()
    this.#loadedAtMs = this.#clock.now()
  }

  /** It goes: until it has gone, it counts with what it takes now. */
  goes(phase: 'unloading' | 'closed'): void {
    this.#bytesBefore = this.bytes()
    this.phase = phase
    this.leaving = false
    this.#loadedAtMs = undefined
    this.stopRest()
  }

  /** A request begins or ends. */
  used(turn: number): void {
    this.turn = turn
    this.#lastUsedAtMs = this.#clock.now()
    this.stopRest()
  }

  refuseAll(reason: unknown): void {
    for (const waiter of [...this.waiting]) waiter.refuse(reason)
  }

  state(): ResidentState {
    const { state } = this.engine.status()
    const isReady = state === 'ready'
    return {
      name: this.engine.name,
      state,
      bytes: this.resident.bytes(),
      estimatedBytes: this.#estimate,
      loadedAtMs: isReady ? this.#loadedAtMs : undefined,
      lastUsedAtMs: this.#lastUsedAtMs,
      expiresAtMs: isReady ? this.expiresAtMs : undefined,
      running: this.running,
      queued: this.waiting.size,
    }
  }
}
