import type { Clock } from '../../lib/clock.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import type { Log } from '../../lib/log.ts'
import { Charge } from '../charging.ts'
import type { Services } from '../execute.ts'
import type { Intent } from '../ledger/types.ts'
import type { Admission } from '../limits/types.ts'
import type { Target } from '../models.ts'
import type { Context, Reply } from '../operation.ts'
import { settledReply } from '../settling.ts'
import { type Directives, directivesOf } from './directives.ts'
import { Entries } from './entries.ts'
import { Flight, type Seat } from './flight.ts'
import { isDeterministic, keyOf } from './key.ts'
import type { Room } from './recording.ts'
import { documentReply, keptReply, streamReply } from './replies.ts'

export interface ResponseCacheOptions {
  /** Of all replies that are kept; as much again may be held for replies that are on their way. */
  maxBytes: number
  /** Of one reply. */
  maxEntryBytes: number
  /** How long replies of this model are kept; undefined: they are not. */
  ttlMsOf(model: string): number | undefined
}

/** A request that may be answered with the reply to another one. */
export interface Repeatable {
  readonly intent: Intent
  readonly body: object
  /** Of its model, as `ttlMsOf` says. */
  readonly ttlMs: number
  /** Its header of this name. */
  readonly cacheControl: string | undefined
  readonly wants: Context['wants']
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal
  /** Called when everything was checked and the work begins. */
  begun?(): void
  /** Runs and settles it, for as long as the signal says: that is the run's, because the caller may leave before others do. */
  run(charge: Charge, signal: AbortSignal): Promise<Reply>
}

export interface ResponseCache {
  /** Undefined where replies of the model are not kept: then this is all that the cache costs. */
  ttlMsOf(target: Target): number | undefined
  /**
   * Answers with a reply that was kept or is on its way, or runs the request. Says which in `x-parlance-cache`.
   *
   * What is not run costs nothing and takes no tokens from limits, but is a request.
   * @throws Fault of limits and ledger, of the run; 504 when only a kept reply was wanted and there is none. The reason of the signal when
   *   the caller has left before the reply began.
   */
  answer(asked: Repeatable, services: Services): Promise<Reply>
  /** What is kept now, and held of streams that are on their way. */
  readonly state: { readonly entries: number; readonly bytes: number; readonly comingBytes: number }
}

/** Whoever has met so many flights that came to nothing goes alone. */
const flightsMax = 2

/** Replies to equal requests of one project, in the memory of this process. */
export function makeResponseCache(
  { clock, log }: { clock: Clock; log: Log },
  options: ResponseCacheOptions,
): ResponseCache {
  const entries = new Entries(clock, options.maxBytes)
  const revisionOf = revisions()
  const shared: Shared = {
    entries,
    flights: new Map(),
    room: { maxBytes: options.maxBytes, usedBytes: 0 },
    maxEntryBytes: Math.min(options.maxEntryBytes, options.maxBytes),
    log,
  }
  return {
    ttlMsOf: ({ name }) => options.ttlMsOf(name),
    answer(asked, services) {
      const { caller, target, operation } = asked.intent
      const { organizationId, projectId } = caller
      const where = { operation, organizationId, projectId, model: target.name, revision: revisionOf(target) }
      return new Answering(shared, asked, services, () => keyOf({ ...where, body: asked.body })).answer()
    },
    get state() {
      return { entries: entries.size, bytes: entries.bytes, comingBytes: shared.room.usedBytes }
    },
  }
}

/** A model that was changed is another target under the same name. */
function revisions(): (target: Target) => number {
  const known = new WeakMap<Target, number>()
  let last = 0
  return target => {
    const revision = known.get(target) ?? ++last
    known.set(target, revision)
    return revision
  }
}

interface Shared {
  readonly entries: Entries
  /** Those whose runs others may join. */
  readonly flights: Map<string, Flight>
  readonly room: Room
  readonly maxEntryBytes: number
  readonly log: Log
}

type Header = 'hit' | 'miss' | 'bypass'

/** One request on its way through the cache. */
class Answering {
  readonly #shared: Shared
  readonly #asked: Repeatable
  readonly #services: Services
  readonly #directives: Directives
  readonly #keyOf: () => string
  /** Of a follower: taken once, also when it ends up running by itself. */
  #admission: Admission | undefined
  #isAdmitted = false

  constructor(shared: Shared, asked: Repeatable, services: Services, key: () => string) {
    this.#shared = shared
    this.#asked = asked
    this.#services = services
    this.#directives = directivesOf(asked.cacheControl)
    this.#keyOf = key
  }

  async answer(): Promise<Reply> {
    const { reads, keeps, onlyKept } = this.#directives
    const isStored = 'store' in this.#asked.body && this.#asked.body.store === true // by the caller, each under an id of its own
    if (isStored || !keeps) {
      if (onlyKept) throw fault.notCached()
      return this.#alone()
    }
    const key = this.#keyOf()
    if (!reads) {
      if (onlyKept) throw fault.notCached()
      return this.#lead(key, { header: 'bypass', alone: true })
    }
    const merges = isDeterministic(this.#asked.body)
    for (let flights = 0; ; flights++) {
      const found = this.#shared.entries.find(key, this.#directives)
      if (found !== undefined)
        return this.#free(keptReply(found.kept, this.#asked.wants, this.#asked.signal), found.ageMs)
      if (onlyKept) throw fault.notCached()
      const flight = merges && flights < flightsMax ? this.#shared.flights.get(key) : undefined
      if (flight === undefined) return this.#lead(key, { header: 'miss', alone: !merges || flights >= flightsMax })
      const reply = await this.#follow(flight, flights > 0)
      if (reply !== undefined) return reply
    }
  }

  /** As if there were no cache. */
  async #alone(): Promise<Reply> {
    const charge = await Charge.open(this.#asked.intent, this.#services)
    this.#asked.begun?.()
    return marked(await this.#asked.run(charge, this.#asked.signal), 'bypass')
  }

  /** Runs it, and keeps the reply. Others may join unless it goes `alone`. */
  async #lead(key: string, { header, alone }: { header: Header; alone: boolean }): Promise<Reply> {
    const { signal, run, wants, begun, intent } = this.#asked
    const flight = this.#takeOff(key, alone)
    const seat = flight.board(signal)
    try {
      const opened = this.#isAdmitted
        ? Charge.open(intent, this.#services, { admission: this.#admission })
        : Charge.open(intent, this.#services)
      this.#isAdmitted = false // what was taken is the charge's from here on
      const charge = opened instanceof Promise ? await opened : opened
      begun?.()
      if (charge.outputMax !== null) {
        flight.dissolve() // cut short for this purse, so it is nobody else's reply
        seat.close()
        return marked(await run(charge, signal), header)
      }
      void flight.run(aboard => run(charge, aboard))
    } catch (error) {
      flight.dissolve()
      seat.close()
      throw error
    }
    const beginning = await seat.begun()
    if (beginning.kind === 'failed' || beginning.kind === 'dissolved') {
      seat.close()
      throw beginning.kind === 'failed'
        ? beginning.fault
        : fault.internal(new Error('A flight left its leader behind.'))
    }
    const reply = { ...arrived(seat, beginning, wants, signal), headers: flight.headers }
    return marked(reply, header)
  }

  #takeOff(key: string, alone: boolean): Flight {
    const { flights, entries, room, maxEntryBytes, log } = this.#shared
    const { ttlMs } = this.#asked
    const flight = new Flight({
      maxBytes: maxEntryBytes,
      room,
      log,
      over(reply) {
        if (flights.get(key) === flight) flights.delete(key)
        if (reply !== undefined && reply.bytes.length <= maxEntryBytes) entries.put(key, { ...reply, ttlMs })
      },
    })
    if (!alone) flights.set(key, flight)
    return flight
  }

  /** @returns undefined when the flight came to nothing, through no fault of the request */
  async #follow(flight: Flight, isLast: boolean): Promise<Reply | undefined> {
    const { signal, wants, intent } = this.#asked
    if (!this.#isAdmitted) this.#admission = this.#services.limits.admit(intent.caller, intent.target.name, nothing)
    this.#isAdmitted = true
    const seat = flight.board(signal)
    try {
      const beginning = await seat.begun()
      if (beginning.kind === 'dissolved') {
        seat.close()
        return undefined
      }
      if (beginning.kind === 'failed') {
        seat.close()
        if (isLast || isOfRequest(beginning.fault)) throw beginning.fault
        return undefined
      }
      return await this.#free(arrived(seat, beginning, wants, signal), 0)
    } catch (error) {
      seat.close()
      if (this.#isAdmitted) this.#admission?.settle({ tokens: 0, images: 0 })
      this.#isAdmitted = false
      throw error
    }
  }

  /** The reply as one that cost nothing: a request of its own in limits and ledger, without tokens. */
  async #free(reply: Reply, ageMs: number): Promise<Reply> {
    const { intent, signal, begun } = this.#asked
    const asked: Intent = { ...intent, isRepeat: true, worst: () => ({ inputTokens: 0, outputTokens: 0, choices: 1 }) }
    const opened = this.#isAdmitted
      ? Charge.open(asked, this.#services, { admission: this.#admission })
      : Charge.open(asked, this.#services)
    this.#isAdmitted = false
    const charge = opened instanceof Promise ? await opened : opened
    begun?.()
    try {
      return marked(await settledReply(reply, charge, signal), 'hit', ageMs)
    } catch (error) {
      await charge.settle(signal.aborted ? 'cancelled' : 'failed')
      throw error
    }
  }
}

const nothing = () => ({ tokens: 0, images: 0 })

/** The reply of a flight for one seat, which is given up when all is read. */
function arrived(
  seat: Seat,
  beginning: { kind: 'stream' } | { kind: 'document'; bytes: Buffer },
  wants: Context['wants'],
  signal: AbortSignal,
): Reply {
  if (beginning.kind === 'document') {
    seat.close()
    return documentReply(beginning.bytes, wants)
  }
  const reply = streamReply(seat.reading, wants, signal)
  if (reply.kind === 'relay') return { kind: 'relay', pipe: sink => reply.pipe(sink).finally(() => seat.close()) }
  return reply.kind === 'events' ? { kind: 'events', events: closing(reply.events, seat) } : reply
}

async function* closing(events: AsyncIterable<object>, seat: Seat): AsyncGenerator<object> {
  try {
    yield* events
  } finally {
    seat.close()
  }
}

function marked(reply: Reply, header: Header, ageMs?: number): Reply {
  const age = ageMs === undefined ? [] : ['age', String(Math.floor(ageMs / 1000))]
  return { ...reply, headers: [...(reply.headers ?? []), 'x-parlance-cache', header, ...age] }
}

/** Whether the same request would meet the same again, whoever asks it. */
const isOfRequest = ({ status }: Fault): boolean => status < 500 && status !== 408 && status !== 409 && status !== 429
