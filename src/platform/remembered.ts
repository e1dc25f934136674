import type { Clock } from '../lib/clock.ts'
import { Fault } from '../lib/faults.ts'
import { describe, type Log } from '../lib/log.ts'
import { Slots } from '../lib/slots.ts'
import type { Caller } from './access.ts'
import type { Claims } from './callers.ts'

/** How long a key or sign-in that was found is trusted without another look: the bound on how late its end is noticed. */
const trustMs = 1000
/** Remembered at once; beyond that the oldest is looked up again. */
const rememberedMax = 10_000

/** By the secret itself, so that a request does not pay for its hash. Only secrets that exist get in, and nothing ever lists them. */
export class Remembered {
  readonly #known = new Map<string, { caller: Caller; untilMs: number }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(secret: string, claims: Claims | undefined): Caller | undefined {
    const name = named(secret, claims)
    const known = this.#known.get(name)
    if (known === undefined) return undefined
    if (known.untilMs > this.#clock.monotonic()) return known.caller
    this.#known.delete(name)
    return undefined
  }

  set(secret: string, claims: Claims | undefined, caller: Caller): void {
    if (this.#known.size >= rememberedMax) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(named(secret, claims), { caller, untilMs: this.#clock.monotonic() + trustMs })
  }

  clear(): void {
    this.#known.clear()
  }
}

/** Running requests by their key or sign-in. As long as there are any, a look at those every second. */
export class Watched {
  readonly #lookUp: (id: string) => Promise<Caller | undefined>
  readonly #over: () => Fault
  readonly #log: Log
  readonly #running = new Map<string, Slots<(reason: Fault) => void>>()
  #timer: NodeJS.Timeout | undefined

  /** @param over what running requests are told when `lookUp` finds nobody any more */
  constructor({ lookUp, over, log }: { lookUp(id: string): Promise<Caller | undefined>; over(): Fault; log: Log }) {
    this.#lookUp = lookUp
    this.#over = over
    this.#log = log
  }

  /** @returns how to stop, once */
  add(id: string, ended: (reason: Fault) => void): () => void {
    let waiting = this.#running.get(id)
    if (waiting === undefined) {
      waiting = new Slots()
      this.#running.set(id, waiting)
    }
    const place = waiting.enter(ended)
    this.#timer ??= setInterval(() => this.look(), trustMs).unref()
    return () => {
      waiting.leave(place)
    }
  }

  look(): void {
    for (const [id, waiting] of this.#running) if (waiting.isEmpty) this.#running.delete(id)
    if (this.#running.size === 0) this.close()
    for (const [id, waiting] of this.#running) {
      const end = () => {
        for (const ended of waiting.all()) ended(this.#over())
      }
      this.#lookUp(id).then(
        caller => {
          if (caller === undefined) end()
        },
        (error: unknown) => {
          if (error instanceof Fault) end()
          else this.#log.error('callers.look_failed', { id, cause: describe(error) })
        },
      )
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function named(secret: string, claims: Claims | undefined): string {
  if (claims?.organization === undefined && claims?.project === undefined) return secret
  return `${secret}\n${claims.organization ?? ''}\n${claims.project ?? ''}`
}
