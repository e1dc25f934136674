import { goDuration } from '../../lib/duration.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import type { Caller } from '../access.ts'
import type { Bucket, Count } from './buckets.ts'
import type { Subject } from './rows.ts'

/** A limit that a request does not fit into. */
export interface Reached {
  readonly subject: Subject
  readonly count: Count
  readonly requested: number
  readonly waitMs: number
}

/** 429 with what a client needs to come back in time, or to know that coming back is no use. */
export function refusal(
  { subject, count, requested, waitMs }: Reached,
  { caller, model, nowMs, buckets }: { caller: Caller; model: string; nowMs: number; buckets: readonly Bucket[] },
): Fault {
  const { kind, most } = count
  return fault.rateLimited({
    model,
    organizationId: caller.organizationId,
    whose: `${subject.kind} ${subject.id}`,
    words: kind.words,
    type: kind.type,
    limit: most,
    used: count.gauge.used(nowMs),
    requested,
    retryAfterMs: requested > most ? null : Math.max(1, Math.ceil(waitMs)),
    headers: Object.fromEntries(pairs(limitHeaders(buckets, nowMs))),
  })
}

/** Of the limits on requests and on tokens the ones with the least left (wire.md section 2): names and values by turns. */
export function limitHeaders(buckets: readonly Bucket[], nowMs: number): string[] {
  let requests: Count | undefined
  let tokens: Count | undefined
  for (const { counts } of buckets)
    for (const count of counts)
      if (count.kind.headers === 'requests') requests = tighter(requests, count, nowMs)
      else if (count.kind.headers === 'tokens') tokens = tighter(tokens, count, nowMs)
  const headers: string[] = []
  if (requests !== undefined) tell(headers, 'requests', requests, nowMs)
  if (tokens !== undefined) tell(headers, 'tokens', tokens, nowMs)
  return headers
}

function tell(headers: string[], name: 'requests' | 'tokens', count: Count, nowMs: number): void {
  headers.push(`x-ratelimit-limit-${name}`, String(count.most))
  headers.push(`x-ratelimit-remaining-${name}`, String(Math.max(0, left(count, nowMs))))
  headers.push(`x-ratelimit-reset-${name}`, goDuration(count.gauge.resetMs(nowMs)))
}

function tighter(known: Count | undefined, count: Count, nowMs: number): Count {
  if (known === undefined) return count
  const difference = left(count, nowMs) - left(known, nowMs)
  return difference < 0 || (difference === 0 && count.most < known.most) ? count : known
}

const left = ({ most, gauge }: Count, nowMs: number): number => most - gauge.used(nowMs)

function pairs(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index]!, list[2 * index + 1]!])
}
