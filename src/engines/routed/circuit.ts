/**
 * Whether a target is asked. `closed`: yes. `open`: it failed too often, and is left alone for a while. `half-open`: the while is over,
 * and one request tries it. `limited`: it said itself for how long it wants to be left alone. Nothing here knows what time it is.
 */
export type Circuit =
  | {
      readonly state: 'closed'
      /** Failures without an answer in between. */
      readonly inARow: number
      /** Since when the next two count. */
      readonly sinceMs: number
      readonly asked: number
      readonly failed: number
    }
  | { readonly state: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly state: 'half-open'; readonly sinceMs: number; readonly openings: number }
  | { readonly state: 'limited'; readonly untilMs: number }

/** What has happened. `trial`: to the request that tries a half-open target; what others meet then says nothing new. */
export type CircuitEvent =
  | { readonly kind: 'asked' }
  /** It answered, or refused for a reason that lies in the request. */
  | { readonly kind: 'answered'; readonly trial: boolean }
  | { readonly kind: 'failed'; readonly trial: boolean }
  /** It asked to be left alone. */
  | { readonly kind: 'limited'; readonly trial: boolean; readonly untilMs: number }
  /** The request ended and nobody knows how it would have gone. */
  | { readonly kind: 'left'; readonly trial: boolean }

/** So many failures in a row open a circuit, … */
export const inARowMax = 5
/** … and so does this part of the requests of a window, if they are enough to mean something. */
export const window = { lengthMs: 10_000, askedMin: 20, failedPart: 0.5 } as const
/** For how long: twice as long each time, when trying fails. */
export const openMs = { first: 5000, longest: 60_000 } as const
/** A trial that takes longer is not waited for: another one begins. */
export const trialMs = 30_000

export const closed: Circuit = { state: 'closed', inARow: 0, sinceMs: Number.NEGATIVE_INFINITY, asked: 0, failed: 0 }

/** When it may be asked next; not later than now: at once. */
export function admitsFromMs(circuit: Circuit): number {
  switch (circuit.state) {
    case 'closed':
      return Number.NEGATIVE_INFINITY
    case 'half-open':
      return circuit.sinceMs + trialMs
    default:
      return circuit.untilMs
  }
}

/** What becomes of a circuit. `asked` is told only when it admits. */
export function next(circuit: Circuit, event: CircuitEvent, nowMs: number): Circuit {
  switch (circuit.state) {
    case 'closed':
      return counted(circuit, event, nowMs)
    case 'half-open':
      return tried(circuit, event, nowMs)
    case 'open':
      return event.kind === 'asked' ? { state: 'half-open', sinceMs: nowMs, openings: circuit.openings } : circuit
    case 'limited':
      if (event.kind === 'asked') return closed
      return event.kind === 'limited' && event.untilMs > circuit.untilMs ? limited(event.untilMs) : circuit
  }
}

function counted(circuit: Circuit & { state: 'closed' }, event: CircuitEvent, nowMs: number): Circuit {
  if (event.kind === 'limited') return limited(event.untilMs)
  if (event.kind !== 'answered' && event.kind !== 'failed') return circuit
  const isOver = nowMs - circuit.sinceMs >= window.lengthMs
  const failure = event.kind === 'failed' ? 1 : 0
  const inARow = failure === 0 ? 0 : circuit.inARow + 1
  const asked = (isOver ? 0 : circuit.asked) + 1
  const failed = (isOver ? 0 : circuit.failed) + failure
  const tooMany = inARow >= inARowMax || (asked >= window.askedMin && failed >= asked * window.failedPart)
  if (failure === 1 && tooMany) return open(1, nowMs)
  return { state: 'closed', inARow, sinceMs: isOver ? nowMs : circuit.sinceMs, asked, failed }
}

function tried(circuit: Circuit & { state: 'half-open' }, event: CircuitEvent, nowMs: number): Circuit {
  if (event.kind === 'asked') return { ...circuit, sinceMs: nowMs }
  if (!event.trial) return circuit
  switch (event.kind) {
    case 'answered':
      return closed
    case 'failed':
      return open(circuit.openings + 1, nowMs)
    case 'limited':
      return limited(event.untilMs)
    case 'left':
      return { state: 'open', untilMs: nowMs, openings: circuit.openings }
  }
}

const limited = (untilMs: number): Circuit => ({ state: 'limited', untilMs })

const open = (openings: number, nowMs: number): Circuit => ({
  state: 'open',
  untilMs: nowMs + Math.min(openMs.longest, openMs.first * 2 ** Math.min(openings - 1, 16)),
  openings,
})
