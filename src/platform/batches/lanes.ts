import type { Clock } from '../../lib/clock.ts'

export interface LanesOptions {
  /** So many lines of all batches ask this model at once. */
  widthOf(model: string): number
}

/** Whoever has asked a model may do so again for so long. */
const noticedMs = 10_000

/**
 * How many lines of batches ask a model at once: as many as it can answer at once, so that it never waits for work; one fewer while
 * somebody asks it who waits for the answer, so that they need not wait for a line to end. Lines of several batches take turns.
 */
export class Lanes {
  readonly #options: LanesOptions
  readonly #clock: Clock
  readonly #models = new Map<string, Lane>()
  readonly #noticed = new Map<string, number>()

  constructor(options: LanesOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** The most that can be of use at once. */
  widthOf(model: string): number {
    return Math.max(1, this.#options.widthOf(model))
  }

  noticed(model: string): void {
    this.#noticed.set(model, this.#clock.monotonic())
  }

  /** Resolves when it is this one's turn. @returns how to leave, once. @throws the signal's reason */
  async enter(model: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const lane = this.#models.get(model) ?? { running: 0, waiting: [] }
    this.#models.set(model, lane)
    if (lane.running >= this.#openWidth(model)) await turn(lane, signal)
    else lane.running++
    let left = false
    return () => {
      if (left) return
      left = true
      lane.running--
      while (lane.waiting.length > 0 && lane.running < this.#openWidth(model)) {
        lane.running++
        lane.waiting.shift()?.()
      }
      if (lane.running === 0 && lane.waiting.length === 0) this.#models.delete(model)
    }
  }

  #openWidth(model: string): number {
    const width = this.widthOf(model)
    const at = this.#noticed.get(model)
    if (at === undefined) return width
    if (this.#clock.monotonic() - at < noticedMs) return Math.max(1, width - 1)
    this.#noticed.delete(model)
    return width
  }
}

interface Lane {
  running: number
  /** Whoever is called has been counted as running already. */
  waiting: (() => void)[]
}

function turn(lane: Lane, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const give = () => {
    signal.removeEventListener('abort', leave)
    resolve()
  }
  const leave = () => {
    lane.waiting = lane.waiting.filter(one => one !== give)
    reject(signal.reason)
  }
  lane.waiting.push(give)
  signal.addEventListener('abort', leave, { once: true })
  return promise
}
