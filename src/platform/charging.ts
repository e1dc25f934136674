import type { Services } from './execute.ts'
import { makeMeter, type Quantity } from './ledger/meter.ts'
import type { Intent, Outcome, Reservation } from './ledger/types.ts'
import type { Admission } from './limits/types.ts'

/** Who is let in, and what is held for them, from the first check to the last row. */
export class Charge {
  readonly meter = makeMeter()
  readonly #reservation: Reservation
  readonly #admission: Admission | undefined
  readonly #services: Services
  readonly #startedMs: number
  #open = true

  /**
   * @param admitted by its limits already; undone with everything else when it is refused
   * @throws Fault 429 for a limit or an empty purse, 403 for a model without a price; nothing is held then
   */
  static open(
    intent: Intent,
    services: Services,
    admitted?: { admission: Admission | undefined },
  ): Charge | Promise<Charge> {
    const startedMs = services.clock.monotonic()
    const admission = admitted === undefined ? admit(intent, services) : admitted.admission
    const charge = (reservation: Reservation) => new Charge(reservation, admission, services, startedMs)
    const refused = (error: unknown): never => {
      admission?.settle({ tokens: 0, images: 0 })
      throw error
    }
    try {
      const reservation = services.ledger.reserve(intent)
      return reservation instanceof Promise ? reservation.then(charge, refused) : charge(reservation)
    } catch (error) {
      return refused(error)
    }
  }

  private constructor(
    reservation: Reservation,
    admission: Admission | undefined,
    services: Services,
    startedMs: number,
  ) {
    this.#reservation = reservation
    this.#admission = admission
    this.#services = services
    this.#startedMs = startedMs
  }

  get outputMax(): number | null {
    return this.#reservation.outputMax
  }

  /** Whether the last byte waits for the last row. */
  get strict(): boolean {
    return this.#services.ledger.strict
  }

  /** What the reply's headers say of it; undefined for most. */
  get headers(): readonly string[] | undefined {
    const limits = this.#admission?.headers
    const { outputMax } = this.#reservation
    if (outputMax === null) return limits
    return [...(limits ?? []), 'x-parlance-max-tokens', String(outputMax)]
  }

  /** The final row. Only the first call counts: an event stream ends, fails or is left, and may be left after it has failed. */
  settle(status: Outcome['status']): Promise<void> | undefined {
    if (!this.#open) return undefined
    this.#open = false
    const { meter } = this
    this.#admission?.settle({ tokens: meter.total.input + meter.total.output, images: imagesIn(meter.made) })
    const durationMs = this.#services.clock.monotonic() - this.#startedMs
    return this.#reservation.settle({ reading: meter, status, durationMs })
  }
}

function admit({ caller, target, worst }: Intent, { limits }: Services): Admission | undefined {
  return limits.admit(caller, target.name, () => {
    const { inputTokens, outputTokens, quantity } = worst()
    return {
      tokens: Math.ceil(inputTokens / bytesPerToken) + (outputTokens ?? 0),
      images: imagesIn(quantity),
    }
  })
}

const imagesIn = (made: Quantity | null | undefined): number => (made?.unit === 'images' ? made.amount : 0)

/** Of usual texts. For the first estimate only, as OpenAI's limiter makes it; settling puts the truth in its place. */
const bytesPerToken = 4
