import type { Clock } from '../../lib/clock.ts'
import type { UsageTable } from '../../store/schema/money.ts'
import type { Caller } from '../access.ts'
import { costOf, type Price } from '../prices.ts'
import type { Hold } from './account.ts'
import type { Running } from './journal.ts'
import type { Quantity } from './meter.ts'
import type { Intent, Outcome, Reservation } from './types.ts'

export interface HeldParts {
  intent: Intent
  price: Price
  /** Undefined when nobody's money is limited. */
  hold: Hold | undefined
  outputMax: number | null
  clock: Clock
  nextId(nowMs: number): string
}

/** A request that is running. It keeps nothing of the request itself, whose body may be large. */
export class Held implements Reservation, Running {
  readonly caller: Caller
  readonly hold: Hold | undefined
  readonly outputMax: number | null
  readonly #price: Price
  readonly #operation: string
  readonly #model: string
  readonly #requestedModel: string
  readonly #endUser: string | null
  readonly #batch: boolean
  readonly #variant: string | null
  readonly #clock: Clock
  readonly #nextId: (nowMs: number) => string
  readonly #end: (held: Held, outcome: Outcome) => Promise<void> | undefined
  #id: string | undefined
  #ended = false

  constructor(
    { intent, price, hold, outputMax, clock, nextId }: HeldParts,
    end: (held: Held, outcome: Outcome) => Promise<void> | undefined,
  ) {
    this.caller = intent.caller
    this.hold = hold
    this.outputMax = outputMax
    this.#price = price
    this.#operation = intent.operation
    this.#model = intent.target.name
    this.#requestedModel = intent.requestedModel
    this.#endUser = intent.endUser
    this.#batch = intent.batch
    this.#variant = intent.isRepeat ? repeatVariant : null
    this.#clock = clock
    this.#nextId = nextId
    this.#end = end
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Whether it has a row already. */
  get journalled(): boolean {
    return this.#id !== undefined
  }

  settle(outcome: Outcome): Promise<void> | undefined {
    if (this.#ended) throw new Error(`A reservation for ${this.#operation} was settled twice.`)
    this.#ended = true
    return this.#end(this, outcome)
  }

  /** What is known while it runs. */
  openRow(): UsageTable {
    const nowMs = this.#clock.now()
    this.#id = this.#nextId(nowMs)
    return this.#row(this.#id, nowMs, nothingYet)
  }

  finalRow({ reading, status, durationMs }: Outcome, nowMs: number): UsageTable {
    const { input, cached, output } = reading.total
    const use = { input, cached, output, quantity: reading.made }
    return this.#row(this.#id ?? this.#nextId(nowMs), nowMs, {
      ...use,
      costNano: costOf(this.#price, use),
      status,
      durationMs: Math.round(durationMs),
    })
  }

  #row(id: string, nowMs: number, known: Known): UsageTable {
    const { quantity } = known
    return {
      id,
      organization_id: this.caller.organizationId,
      project_id: this.caller.projectId,
      key_id: this.caller.keyId,
      user_id: this.caller.userId,
      operation: this.#operation,
      model: this.#model,
      requested_model: this.#requestedModel,
      end_user: this.#endUser,
      input_tokens: known.input,
      cached_tokens: known.cached,
      output_tokens: known.output,
      requests: 1,
      quantity: quantity === null ? 0 : quantity.amount,
      unit: quantity === null ? null : quantity.unit,
      variant: quantity === null ? this.#variant : quantity.variant,
      batch: this.#batch ? 1 : 0,
      cost_nano: known.costNano,
      reserved_nano: this.hold?.nano ?? 0,
      status: known.status,
      duration_ms: known.durationMs,
      created_at: nowMs,
    }
  }
}

interface Known {
  input: number
  cached: number
  output: number
  quantity: Quantity | null
  costNano: number
  status: UsageTable['status']
  durationMs: number
}

/** How the ledger marks a reply that was there already. */
const repeatVariant = 'cached reply'

const nothingYet: Known = { input: 0, cached: 0, output: 0, quantity: null, costNano: 0, status: 'open', durationMs: 0 }
