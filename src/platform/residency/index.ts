import type { Engine } from '../../engines/engine.ts'
import type { Clock } from '../../lib/clock.ts'
import { Fault, fault } from '../../lib/faults.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import { held } from './held.ts'
import { Place, type ResidentState, type Waiter } from './place.ts'

export { usualBudgetBytes } from './budget.ts'
export type { ResidentState } from './place.ts'

export interface ResidencyOptions {
  /** What all loaded models may take together. */
  readonly budgetBytes: number
  /** How long a model stays without requests, unless `hold` says otherwise; 0: for ever. */
  readonly idleMs: number
  /** How long a request waits for memory that busy models take. Default 60 s. */
  readonly waitMs?: number
  /** After so long a wait busy models take no new requests until there is room; a model that was just loaded is left alone so long. Default 10 s. */
  readonly patienceMs?: number
  /** Requests that may wait for one model. Default 256. */
  readonly queue?: number
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Log
}

/**
 * Keeps the local models within one budget of memory. A model is loaded when the first request asks for it; models that nobody asks
 * for go, the least recently used first, when another needs their room, and all after a time without requests. A request that runs
 * is never cut.
 */
export interface Residency {
  /** The same engine under this rule. One that takes no memory here is given back as it is. */
  hold(engine: Engine, options?: { idleMs?: number }): Engine
  /** All that are held, loaded or not. */
  memory(): { readonly budgetBytes: number; readonly usedBytes: number; readonly models: readonly ResidentState[] }
  /** undefined: the engine is not held. */
  stateOf(engine: Engine): ResidentState | undefined
  /** Loads a held model, as a request would; resolves at once when the signal is aborted. @throws Fault */
  load(engine: Engine, signal: AbortSignal): Promise<void>
  /** Unloads a held model; one that is not loaded stays so. @throws fault.modelBusy while something needs it */
  unload(engine: Engine): Promise<void>
}

export function makeResidency(options: ResidencyOptions): Residency {
  return new Memory({ waitMs: 60_000, patienceMs: 10_000, queue: 256, ...options })
}

/** Seconds a client should wait when the queue is full, and when busy models take the memory. */
const retryAfterSeconds = { queue: 2, memory: 10 } as const
/** Models grow a little while they work: looked at this often. */
const trimEveryMs = 1000

class Memory implements Residency {
  readonly #options: Required<ResidencyOptions>
  readonly #places = new Map<Engine, Place>()
  /** Models that wait for room. The first gets it first: no smaller one overtakes it, or a large one might wait for ever. */
  readonly #queued: Place[] = []
  #turns = 0
  #trimmedMs = Number.NEGATIVE_INFINITY
  #stopPatience: () => void = () => {}

  constructor(options: Required<ResidencyOptions>) {
    this.#options = options
  }

  hold(engine: Engine, { idleMs = this.#options.idleMs }: { idleMs?: number } = {}): Engine {
    if (engine.resident === undefined) return engine
    const place = new Place(engine, engine.resident, { idleMs, clock: this.#options.clock })
    const outside = held(engine, {
      enter: signal => this.#enter(place, signal),
      leave: () => this.#leave(place),
      close: () => this.#close(outside, place),
    })
    this.#places.set(outside, place)
    return outside
  }

  memory() {
    const models = [...this.#places.values()].map(place => place.state())
    return { budgetBytes: this.#options.budgetBytes, usedBytes: this.#usedBytes(), models }
  }

  stateOf(engine: Engine): ResidentState | undefined {
    return this.#places.get(engine)?.state()
  }

  async load(engine: Engine, signal: AbortSignal): Promise<void> {
    const place = this.#placeOf(engine)
    if (await this.#enter(place, signal)) this.#leave(place)
  }

  async unload(engine: Engine): Promise<void> {
    const place = this.#placeOf(engine)
    if (place.running > 0) throw fault.modelBusy(engine.name, `it works on ${place.running} requests`)
    if (place.waiting.size > 0) throw fault.modelBusy(engine.name, `${place.waiting.size} requests wait for it`)
    if (place.phase === 'loading') throw fault.modelBusy(engine.name, 'it is being loaded')
    if (place.phase === 'in') await this.#unload(place, 'asked')
    else if (place.phase === 'unloading') await place.gone
  }

  #placeOf(engine: Engine): Place {
    const place = this.#places.get(engine)
    if (place === undefined) throw fault.wrongAbility(engine.name, 'load')
    return place
  }

  /** A request comes. */
  async #enter(place: Place, signal: AbortSignal): Promise<boolean> {
    const { name } = place.engine
    if (signal.aborted) return false
    if (place.phase === 'closed') throw fault.modelClosed(name)
    if (place.serves) {
      this.#begin(place)
      return true
    }
    if (place.waiting.size >= this.#options.queue) throw fault.overloaded(name, retryAfterSeconds.queue)
    const granted = this.#wait(place, signal)
    if (place.phase === 'in' && !place.leaving) place.phase = 'out' // its process has ended by itself
    if (place.phase === 'out') void this.#want(place)
    return granted
  }

  #begin(place: Place): void {
    place.running++
    place.used(++this.#turns)
    place.expiresAtMs = undefined
  }

  /** A request ends. */
  #leave(place: Place): void {
    place.running--
    place.used(++this.#turns)
    if (!place.isIdle) return
    this.#rest(place)
    if (this.#queued.length > 0) this.#makeRoom()
    else if (this.#options.clock.monotonic() - this.#trimmedMs >= trimEveryMs) this.#trim()
  }

  #wait(place: Place, signal: AbortSignal): Promise<boolean> {
    const { timers, waitMs } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const end = () => {
      place.waiting.delete(waiter)
      stop()
      signal.removeEventListener('abort', leave)
    }
    const waiter: Waiter = {
      grant: () => {
        end()
        this.#begin(place)
        resolve(true)
      },
      refuse(reason) {
        end()
        reject(reason)
      },
    }
    const leave = () => {
      end()
      resolve(false)
      this.#giveUp(place)
    }
    const stop = timers.after(waitMs, () => {
      if (place.phase === 'loading') return // which ends by itself
      waiter.refuse(fault.noMemoryNow(place.engine.name, retryAfterSeconds.memory))
      this.#giveUp(place)
    })
    signal.addEventListener('abort', leave)
    place.waiting.add(waiter)
    return promise
  }

  /** Finds out how large a model is, and puts it into the queue. */
  async #want(place: Place): Promise<void> {
    place.phase = 'sizing'
    const failed = await place.size().then(
      () => undefined,
      (error: unknown) => (error instanceof Fault ? error : fault.internal(error)),
    )
    if (place.phase !== 'sizing') return
    const { budgetBytes, clock } = this.#options
    const tooLarge = place.needsBytes > budgetBytes
    if (failed !== undefined || tooLarge || place.waiting.size === 0) {
      place.phase = 'out'
      place.refuseAll(failed ?? fault.modelTooLarge(place.engine.name, place.needsBytes, budgetBytes))
      return
    }
    place.phase = 'queued'
    place.queuedAtMs = clock.monotonic()
    this.#queued.push(place)
    this.#makeRoom()
  }

  /** Nobody waits for the model any more: it need not be loaded. */
  #giveUp(place: Place): void {
    if (place.phase !== 'queued' || place.waiting.size > 0) return
    place.phase = 'out'
    this.#dequeue(place)
    this.#makeRoom()
  }

  /** Models that were to leave for this one may stay. */
  #dequeue(place: Place): void {
    const index = this.#queued.indexOf(place)
    if (index < 0) return
    this.#queued.splice(index, 1)
    this.#stopPatience()
    for (const other of this.#places.values()) {
      if (!other.leaving) continue
      other.leaving = false
      if (other.serves) this.#grantAll(other)
    }
  }

  #grantAll(place: Place): void {
    for (const waiter of [...place.waiting]) waiter.grant()
  }

  /** Loads what waits and fits, and sees to it that the next one will. Called whenever something has changed. */
  #makeRoom(): void {
    for (let next = this.#queued[0]; next !== undefined; next = this.#queued[0]) {
      const shortBytes = next.needsBytes - (this.#options.budgetBytes - this.#usedBytes())
      if (shortBytes > 0) {
        this.#free(next, shortBytes)
        return
      }
      this.#dequeue(next)
      void this.#load(next)
    }
  }

  #free(next: Place, shortBytes: number): void {
    const going = [...this.#places.values()].filter(({ phase }) => phase === 'unloading' || phase === 'closed')
    const missing = shortBytes - sum(going)
    if (missing <= 0) return
    const inside = this.#leastRecentlyUsed()
    const idle = enough(
      inside.filter(place => place.isIdle),
      missing,
    )
    if (idle !== undefined) for (const place of idle) void this.#unload(place, 'room')
    else this.#drain(next, inside, missing)
  }

  /** Busy models, too, must make room in the end: otherwise those that are never idle would keep all others out. */
  #drain(next: Place, inside: Place[], missingBytes: number): void {
    const { clock, timers, patienceMs } = this.#options
    const chosen = enough(
      [...inside].sort((one, other) => Number(other.leaving) - Number(one.leaving)),
      missingBytes,
    )
    if (chosen === undefined) return // what is loading now counts when it is loaded
    const sinceMs = Math.max(next.queuedAtMs, ...chosen.map(({ loadedMs }) => loadedMs))
    const leftMs = sinceMs + patienceMs - clock.monotonic()
    if (leftMs > 0) {
      this.#stopPatience()
      this.#stopPatience = timers.after(leftMs, () => this.#makeRoom())
      return
    }
    for (const place of chosen)
      if (place.isIdle) void this.#unload(place, 'room')
      else place.leaving = true
  }

  async #load(place: Place): Promise<void> {
    place.phase = 'loading'
    const failed = await place.resident.load().then(
      () => undefined,
      (error: unknown) => (error instanceof Fault ? error : fault.internal(error)),
    )
    if (place.phase !== 'loading') return // closed meanwhile
    if (failed !== undefined) {
      place.phase = 'out'
      place.refuseAll(failed)
    } else this.#loaded(place)
    this.#makeRoom()
  }

  #loaded(place: Place): void {
    const { budgetBytes } = this.#options
    place.loaded()
    if (place.needsBytes > budgetBytes) {
      place.refuseAll(fault.modelTooLarge(place.engine.name, place.needsBytes, budgetBytes))
      void this.#unload(place, 'too large')
      return
    }
    place.used(++this.#turns)
    this.#grantAll(place)
    if (place.isIdle) this.#rest(place)
    this.#trim()
  }

  /** When models have turned out larger than they were thought to be, idle ones go; the one used last stays in any case. */
  #trim(): void {
    this.#trimmedMs = this.#options.clock.monotonic()
    let overBytes = this.#usedBytes() - this.#options.budgetBytes
    for (const place of this.#leastRecentlyUsed().slice(0, -1)) {
      if (overBytes <= 0) return
      if (!place.isIdle) continue
      overBytes -= place.bytes()
      void this.#unload(place, 'room')
    }
  }

  /** From now on it has no requests. */
  #rest(place: Place): void {
    const { clock, timers } = this.#options
    if (place.idleMs === 0) return
    place.expiresAtMs = clock.now() + place.idleMs
    place.stopRest = timers.after(place.idleMs, () => {
      if (place.isIdle) void this.#unload(place, 'idle')
    })
  }

  /** A request that comes meanwhile waits, and has the model loaded again. */
  async #unload(place: Place, why: string): Promise<void> {
    place.goes('unloading')
    place.gone = place.resident
      .unload()
      .catch((error: unknown) =>
        this.#options.log.error('model.unload_failed', { model: place.engine.name, cause: describe(error) }),
      )
    this.#options.log.info('model.unloaded', { model: place.engine.name, why })
    await place.gone
    if (place.phase === 'unloading') {
      place.phase = 'out'
      if (place.waiting.size > 0) void this.#want(place)
    }
    this.#makeRoom()
  }

  async #close(outside: Engine, place: Place): Promise<void> {
    place.goes('closed')
    place.refuseAll(fault.modelClosed(place.engine.name))
    this.#dequeue(place)
    try {
      await place.engine.close()
    } finally {
      this.#places.delete(outside)
      this.#makeRoom()
    }
  }

  #usedBytes(): number {
    return sum([...this.#places.values()])
  }

  #leastRecentlyUsed(): Place[] {
    return [...this.#places.values()].filter(({ phase }) => phase === 'in').sort((one, other) => one.turn - other.turn)
  }
}

const sum = (places: readonly Place[]): number => places.reduce((bytes, place) => bytes + place.bytes(), 0)

/** The first of these that together have so many bytes; undefined when all together have not. */
function enough(places: readonly Place[], bytes: number): Place[] | undefined {
  const chosen: Place[] = []
  for (const place of places) {
    if (bytes <= 0) break
    chosen.push(place)
    bytes -= place.bytes()
  }
  return bytes <= 0 ? chosen : undefined
}
