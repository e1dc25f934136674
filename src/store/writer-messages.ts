import type { Failure } from './failure.ts'
import type { Ran } from './sqlite-connection.ts'

/** What the main thread and the writer thread say to one another. One question is open at a time. */
export type ToWriter =
  | {
      readonly kind: 'group'
      /** SQL texts, each once: the calls of a group are mostly alike. */
      readonly texts: readonly Text[]
      readonly calls: Packed
      /** Also write something that means nothing, to see whether the disk takes it. */
      readonly probe: boolean
    }
  | { readonly kind: 'backup'; readonly path: string }
  | { readonly kind: 'close' }

export interface Text {
  readonly sql: string
  readonly selects: boolean
  /** It stores one row or fails without a trace, so that it needs no savepoint of its own, and its result is always the same. */
  readonly whole?: boolean | undefined
}

/** Statements that happen together or not at all. */
export type CallMessage = readonly {
  /** Index into `texts`. */
  readonly text: number
  readonly parameters: readonly unknown[]
  readonly expectChanges?: number | undefined
}[]

/** Calls as JSON, or as they are; `packing.ts` knows which and why. */
export type Packed = string | readonly CallMessage[]

/** A call that was committed, or the reason why nothing of it was. */
export type Outcome = Stored | { readonly ok: false; readonly failure: Failure }

export interface Stored {
  readonly ok: true
  readonly ran: readonly Ran[]
}

export type FromWriter =
  | { readonly kind: 'open'; readonly failure?: Failure }
  /** A number: so many rows were inserted, and nothing else happened. */
  | { readonly kind: 'group'; readonly outcomes: readonly Outcome[] | number; readonly failure?: Failure }
  | { readonly kind: 'backup'; readonly failure?: Failure }
  | { readonly kind: 'closed'; readonly failure?: Failure }

export interface WriterOptions {
  readonly path: string
  readonly busyTimeoutMs: number
  readonly maxSizeBytes?: number | undefined
}
