import { setImmediate as turn } from 'node:timers/promises'
import type { Store } from '../../store/store.ts'

/** Rows that one query may read: some 10 ms on SQLite, which blocks the main thread while tokens flow on it. */
export const sliceRows = 10_000

/** In unix milliseconds. */
export interface Span {
  /** Inclusive. */
  fromMs: number
  /** Exclusive. */
  toMs: number
}

/**
 * Cuts a span of an organisation's usage, from its beginning to its end, into pieces of about so many rows, and lets others have
 * their turn in between.
 * @param signal ends it when the caller has left
 */
export async function* slices(
  store: Store,
  organizationId: string,
  span: Span,
  signal: AbortSignal,
  maxRows = sliceRows,
): AsyncGenerator<Span> {
  let { fromMs } = span
  while (fromMs < span.toMs) {
    const beyond = await store.read
      .selectFrom('usage')
      .select('created_at')
      .where('organization_id', '=', organizationId)
      .where('created_at', '>=', fromMs)
      .where('created_at', '<', span.toMs)
      .orderBy('created_at')
      .limit(1)
      .offset(maxRows)
      .executeTakeFirst()
    // Rows of one millisecond stay together, however many they are.
    const toMs = beyond === undefined ? span.toMs : Math.max(beyond.created_at, fromMs + 1)
    yield { fromMs, toMs }
    fromMs = toMs
    await turn()
    signal.throwIfAborted()
  }
}
