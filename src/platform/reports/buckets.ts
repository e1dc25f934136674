import { fault } from '../../lib/faults.ts'

export const widths = { '1m': 60, '1h': 3600, '1d': 86_400 } as const
export type Width = keyof typeof widths

/** How many buckets a page may have. */
export interface PageBounds {
  usual: number
  most: number
}

/** As documented for the usage endpoints. */
export const usageBounds: Readonly<Record<Width, PageBounds>> = {
  '1d': { usual: 7, most: 31 },
  '1h': { usual: 24, most: 168 },
  '1m': { usual: 60, most: 1440 },
}

/** Unix seconds: the last one of the year 9999. Beyond it somebody has sent milliseconds. */
export const latestTime = 253_402_300_799

/** All in unix seconds. */
export interface RangeAsked {
  start_time: number
  end_time?: number
  limit?: number
  page?: string
}

export interface Bucket {
  /** Inclusive. */
  startTime: number
  /** Exclusive. */
  endTime: number
}

/** The buckets of one page, in their order, and the whole range that the pages go through. */
export interface BucketPage {
  buckets: Bucket[]
  endTime: number
}

/**
 * Buckets begin at whole minutes, hours and days of UTC; those at the ends of the range are as short as it makes them. Without an end
 * the range goes to the end of the bucket that is running, and its pages keep to that.
 * @throws Fault 400 for an empty range, a page longer than documented, and a cursor that is not of this range
 */
export function bucketsOf(asked: RangeAsked, width: Width, bounds: PageBounds, nowMs: number): BucketPage {
  const { start_time: startTime, end_time: askedEnd, limit = bounds.usual, page } = asked
  const widthS = widths[width]
  if (limit > bounds.most)
    throw fault.invalidValue(
      'limit',
      `Invalid 'limit': integer above maximum value. Expected a value <= ${bounds.most} for buckets of ${width}, but got ${limit} instead.`,
      'integer_above_max_value',
    )
  if (askedEnd !== undefined && askedEnd <= startTime)
    throw fault.invalidValue('end_time', "Invalid 'end_time': it must be later than 'start_time'.")
  const running = (Math.floor(nowMs / 1000 / widthS) + 1) * widthS
  const place = page === undefined ? { next: startTime, endTime: askedEnd ?? running } : placeOf(page)
  const { endTime } = place
  const isOfThisRange =
    page === undefined ||
    (place.next > startTime &&
      place.next < endTime &&
      place.next % widthS === 0 &&
      (askedEnd === undefined ? endTime <= running : endTime === askedEnd))
  if (!isOfThisRange) throw fault.unknownCursor('page', String(page).slice(0, 80))
  const buckets: Bucket[] = []
  for (let start = place.next; start < endTime && buckets.length < limit; ) {
    const end = Math.min((Math.floor(start / widthS) + 1) * widthS, endTime)
    buckets.push({ startTime: start, endTime: end })
    start = end
  }
  return { buckets, endTime }
}

/** Where the next page begins; null when this one was the last. */
export function nextPage({ endTime }: BucketPage, last: Bucket | undefined): string | null {
  if (last === undefined || last.endTime >= endTime) return null
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(last.endTime), 0)
  bytes.writeBigUInt64BE(BigInt(endTime), 8)
  return `page_${bytes.toString('base64url')}`
}

/** @throws Fault 400. A cursor opens nothing: what it leads to is looked for among the caller's own rows like everything else. */
function placeOf(page: string): { next: number; endTime: number } {
  const bytes = Buffer.from(page.slice('page_'.length), 'base64url')
  const isOurs = page.startsWith('page_') && bytes.length === 16 && page === `page_${bytes.toString('base64url')}`
  if (!isOurs) throw fault.unknownCursor('page', page.slice(0, 80))
  return { next: Number(bytes.readBigUInt64BE(0)), endTime: Number(bytes.readBigUInt64BE(8)) }
}
