import type { LimitSubject } from '../../store/schema/money.ts'
import type { Caller } from '../access.ts'
import type { Target } from '../models.ts'
import type { Quantity, Reading } from './meter.ts'

/** What a request may come to at most, told by its operation before anything is spent. */
export interface Worst {
  /** Never fewer than the model will count; may be more. */
  inputTokens: number
  /** Over all choices; null when the request sets no limit. */
  outputTokens: number | null
  /** How many replies share `outputTokens`. */
  choices: number
  /** What is not counted in tokens. */
  quantity?: Quantity
  /** Counts the input exactly, where the upper bound of it does not fit into what is left. */
  count?(): Promise<number>
}

/** A request that wants to spend. */
export interface Intent {
  caller: Caller
  operation: string
  target: Target
  requestedModel: string
  /** The request's `user`. */
  endUser: string | null
  batch: boolean
  /** Answered with a reply that was there already: no money is held for it, and its row is marked. */
  isRepeat?: boolean
  /** What it is charged for, where that is not counted in tokens: a model may have a price for the one and not for the other. */
  billed?: Pick<Quantity, 'unit' | 'variant'>
  /** Asked for only when somebody's money is limited. */
  worst(): Worst
}

/** How a request ended. */
export interface Outcome {
  reading: Reading
  status: 'ok' | 'cancelled' | 'failed'
  durationMs: number
}

/** What is held for a request while it runs. */
export interface Reservation {
  /** So many tokens may be generated for each choice, because no more is left; null: as the request says. */
  readonly outputMax: number | null
  /**
   * The final row; called exactly once, whatever happened: a second call throws and changes nothing. The promise, if any, is to be
   * awaited before the last byte leaves (`ledger: strict`). It rejects for `ok` alone, when the row could not be stored: what was not
   * booked must not be acknowledged. It is booked all the same as soon as the store can.
   */
  settle(outcome: Outcome): Promise<void> | undefined
}

export interface Ledger {
  /** Whether what `settle` promises is to be awaited before the last byte leaves. */
  readonly strict: boolean
  /**
   * Check and reservation in one step: whoever gets a reservation can be served without a limit being overrun. A promise only where
   * something has to be counted, looked up or (`ledger: strict`) stored.
   * @throws Fault 429 `insufficient_quota` when not even one token fits, 400 `billing_hard_limit_reached` for images; 403
   *   `model_not_priced`; 503 `store_busy` when the store takes no more rows, and with `ledger: strict` what it throws
   */
  reserve(intent: Intent): Reservation | Promise<Reservation>
  /** Limits, credit or prices were changed. */
  changed(): Promise<void>
  /**
   * Resolves when every reservation is settled, or after so long: before the store closes, because a reply that was left may still
   * be counting its tokens.
   * @returns how many are left
   */
  settled(withinMs: number): Promise<number>
}

/** Somebody has spent more than a soft limit, or all credit. Each is told once a month and threshold. */
export interface Notice {
  organizationId: string
  subject: LimitSubject | 'credit'
  /** For credit the organisation. */
  subjectId: string
  /** `2026-11`. */
  month: string
  /** The soft limit, in nano-dollars; 0 for credit. */
  thresholdNano: number
  /** In this month; for credit: of the grants that are valid. */
  spentNano: number
}

/** What somebody's money has come to. Nano-dollars. */
export interface Standing {
  /** The hard limit, or the credit that is valid; null: no limit. */
  limitNano: number | null
  /** In this month; for credit: of the grants that are valid. */
  spentNano: number
  /** For requests that are running. */
  heldNano: number
}

/** The ledger of a process. */
export interface OpenLedger extends Ledger {
  /**
   * At this moment, from memory.
   * @param id for credit the organisation
   * @returns undefined for whom the ledger keeps no account: there was no limit, or (end users) nothing was asked for
   */
  standing(organizationId: string, subject: Notice['subject'], id: string): Standing | undefined
  /**
   * Looks whether another process has changed limits or credit, and takes it over. Happens every second by itself.
   */
  look(): Promise<void>
  /** Looks no more, and gives what waits to the store, which stores it when it closes. */
  close(): void
}
