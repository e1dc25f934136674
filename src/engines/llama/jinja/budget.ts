import { BudgetSpent } from './errors.ts'

/** Milliseconds, never going back: of the world, and of the processor in this thread. */
export interface Stopwatch {
  now(): number
  cpu(): number
}

export interface Limits {
  /** Evaluated nodes and touched items. */
  readonly steps: number
  /** Of the processor. */
  readonly millis: number
  /** Of all texts and lists that are made, whether or not they are still there. */
  readonly bytes: number
  readonly depth: number
}

const bytesPerCharacter = 2
const bytesPerItem = 16
const bytesPerJoint = 32

/** What one rendering may spend. Every method throws BudgetSpent when it is too much. */
export class Budget {
  readonly #limits: Limits
  readonly #clock: Stopwatch
  readonly #cpuEnd: number
  #deadline: number
  #steps = 0
  #bytes = 0
  #depth = 0

  constructor(limits: Limits, clock: Stopwatch) {
    this.#limits = limits
    this.#clock = clock
    this.#cpuEnd = clock.cpu() + limits.millis
    this.#deadline = clock.now() + limits.millis
  }

  step(count = 1): void {
    this.#steps += count
    if (this.#steps > this.#limits.steps) throw new BudgetSpent('steps')
    // At every step: one step may be a whole loop.
    if (this.#clock.now() > this.#deadline) this.#extend()
  }

  /**
   * To be called before two texts become one of this length: V8 keeps them as they are, until somebody looks inside. So a template
   * may add message after message to one text.
   */
  joined(characters: number): void {
    if (characters * bytesPerCharacter > this.#limits.bytes) throw new BudgetSpent('memory')
    this.#spend(bytesPerJoint)
  }

  /** To be called before a text of this length is made, or looked into. */
  text(characters: number): void {
    this.#spend(characters * bytesPerCharacter)
  }

  /** To be called before a list of this length is made. */
  items(count: number): void {
    this.#spend(count * bytesPerItem)
  }

  /** Runs what nests. */
  nested<T>(work: () => T): T {
    this.enter()
    const value = work()
    this.leave()
    return value
  }

  enter(): void {
    if (++this.#depth > this.#limits.depth) throw new BudgetSpent('depth')
  }

  leave(): void {
    this.#depth--
  }

  #spend(bytes: number): void {
    this.#bytes += bytes
    if (!(this.#bytes <= this.#limits.bytes)) throw new BudgetSpent('memory')
  }

  /** On a busy machine time passes while this thread does not run: then the budget is not yet spent. */
  #extend(): void {
    const rest = this.#cpuEnd - this.#clock.cpu()
    if (rest <= 0) throw new BudgetSpent('time')
    this.#deadline = this.#clock.now() + rest
  }
}
