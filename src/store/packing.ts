import type { CallMessage, Outcome, Packed } from './writer-messages.ts'

/**
 * A group of calls on its way to the writer thread. As one JSON text, because sending so many small values to another thread costs
 * several times as much as writing and reading the text: it took most of what a row costs the main thread. Bytes have no JSON, so
 * a group that holds some is sent as it is.
 */
export function packed(calls: readonly CallMessage[]): Packed {
  for (const call of calls)
    for (const { parameters } of call) for (const value of parameters) if (value instanceof Uint8Array) return calls
  return JSON.stringify(
    calls.map(call => call.map(({ text, parameters, expectChanges }) => [text, parameters, expectChanges ?? null])),
  )
}

/** The other way, in the writer's thread. */
export function unpacked(calls: Packed): readonly CallMessage[] {
  if (typeof calls !== 'string') return calls
  const rows: [text: number, parameters: unknown[], expectChanges: number | null][][] = JSON.parse(calls)
  return rows.map(call =>
    call.map(([text, parameters, expectChanges]) => ({ text, parameters, expectChanges: expectChanges ?? undefined })),
  )
}

/** What a row that was stored comes to, when nobody asked for more. */
export const inserted: Outcome = { ok: true, ran: [{ changes: 1, rows: [] }] }

/** The outcomes of a group as the writer sends them: their number where all are `inserted`. */
export const packedOutcomes = (outcomes: readonly Outcome[]): readonly Outcome[] | number =>
  outcomes.every(outcome => outcome === inserted) ? outcomes.length : outcomes

export const unpackedOutcomes = (outcomes: readonly Outcome[] | number): readonly Outcome[] =>
  typeof outcomes === 'number' ? Array.from({ length: outcomes }, () => inserted) : outcomes
