import { storable } from '../../lib/storable.ts'
import type { Store } from '../../store/store.ts'
import {
  type Bucket,
  bucketsOf,
  nextPage,
  type PageBounds,
  type RangeAsked,
  usageBounds,
  type Width,
  widths,
} from './buckets.ts'
import { type Dimension, type ImageSource, imageSources, isMeant, type UsageKindName, usageKinds } from './kinds.ts'
import { type Column, type Group, type Narrowing, type Tally, tally, together } from './tally.ts'

/** What reports are asked with, as on the wire. */
export interface ReportAsked extends RangeAsked {
  bucket_width?: Width
  project_ids?: readonly string[]
  user_ids?: readonly string[]
  api_key_ids?: readonly string[]
  models?: readonly string[]
  batch?: boolean
  sizes?: readonly string[]
  sources?: readonly ImageSource[]
  group_by?: readonly Dimension[]
}

/** What the rows of one bucket with the same values come to; `by` holds what was grouped by. */
export interface Result extends Omit<Group, 'bucketMs' | 'values'> {
  by: Partial<Record<Dimension, string | boolean | null>>
  /** Of `quantity`, where results are split by what is charged for. */
  unit: string | null
}

export interface Report {
  buckets: (Bucket & { results: Result[] })[]
  nextPage: string | null
}

/** Whose report, and until when it is wanted. */
export interface Reader {
  organizationId: string
  nowMs: number
  signal: AbortSignal
}

/** Results of one page; the page ends early at the bucket that has brought more. */
const maxResults = 10_000

/** @throws Fault 400 for a range or a page that there is not */
export function usageReport(store: Store, reader: Reader, kind: UsageKindName, asked: ReportAsked): Promise<Report> {
  const width = asked.bucket_width ?? '1d'
  const where = [meant(usageKinds[kind].operations), ...narrowings(asked)]
  return report(store, reader, asked, { width, bounds: usageBounds[width], where })
}

/** As documented for `/v1/organization/costs`. */
const costBounds: PageBounds = { usual: 7, most: 180 }

/** What everything has cost, by day. @throws Fault 400 */
export const costReport = (store: Store, reader: Reader, asked: ReportAsked): Promise<Report> =>
  report(store, reader, asked, { width: '1d', bounds: costBounds, where: narrowings(asked) })

async function report(
  store: Store,
  { organizationId, nowMs, signal }: Reader,
  asked: ReportAsked,
  { width, bounds, where }: { width: Width; bounds: PageBounds; where: readonly Narrowing[] },
): Promise<Report> {
  const page = bucketsOf(asked, width, bounds, nowMs)
  const [first] = page.buckets
  const last = page.buckets.at(-1)
  if (first === undefined || last === undefined) return { buckets: [], nextPage: null }
  const dimensions = [...new Set(asked.group_by ?? [])]
  const by = [...new Set(dimensions.flatMap(dimension => columns[dimension]))]
  const widthMs = widths[width] * 1000
  const span = { fromMs: first.startTime * 1000, toMs: last.endTime * 1000 }
  const found = await tally(store, { organizationId, ...span, widthMs, by, where, signal, maxGroups: maxResults })
  const complete = page.buckets.filter(bucket => bucket.endTime * 1000 <= found.completeToMs)
  const results = resultsOf(found, dimensions, by)
  const buckets = complete.map(bucket => ({
    ...bucket,
    results: results.get(Math.floor((bucket.startTime * 1000) / widthMs) * widthMs) ?? [],
  }))
  return { buckets, nextPage: nextPage(page, complete.at(-1)) }
}

/** Where a dimension's value comes from. Tiers of service are not recorded. */
const columns: Readonly<Record<Dimension, readonly Column[]>> = {
  project_id: ['project_id'],
  user_id: ['user_id'],
  api_key_id: ['key_id'],
  model: ['model'],
  batch: ['batch'],
  service_tier: [],
  size: ['variant'],
  source: ['operation'],
  line_item: ['model', 'unit', 'variant'],
}

/** By bucket, in the order of their values. Groups that differ in nothing that was asked for become one. */
function resultsOf({ groups }: Tally, dimensions: readonly Dimension[], by: readonly Column[]): Map<number, Result[]> {
  const merged = new Map<string, { group: Group; result: Pick<Result, 'by' | 'unit'> }>()
  for (const group of groups) {
    const value = (column: Column) => group.values[by.indexOf(column)] ?? null
    const result = {
      by: Object.fromEntries(dimensions.map(dimension => [dimension, splitValue(dimension, value)])),
      unit: dimensions.includes('line_item') ? text(value('unit')) : null,
    }
    const name = JSON.stringify([group.bucketMs, ...Object.values(result.by)])
    const known = merged.get(name)
    merged.set(name, known === undefined ? { group, result } : { ...known, group: together(known.group, group) })
  }
  const buckets = new Map<number, Result[]>()
  for (const [, { group, result }] of [...merged].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const { bucketMs, values: _, ...sums } = group
    const bucket = buckets.get(bucketMs) ?? []
    bucket.push({ ...sums, ...result })
    buckets.set(bucketMs, bucket)
  }
  return buckets
}

type Value = string | number | null

function splitValue(dimension: Dimension, value: (column: Column) => Value): string | boolean | null {
  switch (dimension) {
    case 'batch':
      return value('batch') === 1
    case 'size':
      return sizeOf(text(value('variant')))
    case 'source':
      return sourceOf(text(value('operation')))
    case 'line_item':
      return [value('model'), words[text(value('unit')) ?? 'tokens'], value('variant')]
        .filter(part => part !== null && part !== undefined)
        .join(', ')
    case 'service_tier':
      return null
    default:
      return text(value(columns[dimension][0]!))
  }
}

/** What a line of the bill counts. */
const words: Readonly<Record<string, string>> = {
  tokens: 'tokens',
  images: 'images',
  milliseconds: 'audio',
  characters: 'characters',
  bytes: 'storage',
  sessions: 'sessions',
  calls: 'calls',
}

const text = (value: Value): string | null => (value === null ? null : String(value))

/** `1024x1024` of `1024x1024 hd`. */
const sizeOf = (variant: string | null): string | null => variant?.split(' ', 1)[0] ?? null

function sourceOf(operation: string | null): ImageSource | null {
  const names = Object.keys(imageSources) as ImageSource[]
  return names.find(name => operation !== null && isMeant(operation, imageSources[name])) ?? null
}

function narrowings(asked: ReportAsked): Narrowing[] {
  const { project_ids, user_ids, api_key_ids, models, batch, sizes, sources } = asked
  const found: Narrowing[] = []
  if (project_ids !== undefined) found.push(eb => eb('project_id', 'in', names(project_ids)))
  if (user_ids !== undefined) found.push(eb => eb('user_id', 'in', names(user_ids)))
  if (api_key_ids !== undefined) found.push(eb => eb('key_id', 'in', names(api_key_ids)))
  if (models !== undefined) found.push(eb => eb('model', 'in', names(models)))
  if (batch !== undefined) found.push(eb => eb('batch', '=', batch ? 1 : 0))
  if (sizes !== undefined)
    found.push(eb => eb.or(sizes.flatMap(size => [eb('variant', '=', size), eb('variant', 'like', `${size} %`)])))
  if (sources !== undefined) found.push(meant(sources.flatMap(source => imageSources[source])))
  return found
}

const names = (asked: readonly string[]): string[] => asked.map(storable)

const meant =
  (patterns: readonly string[]): Narrowing =>
  eb =>
    eb.or(
      patterns.map(pattern =>
        pattern.endsWith('*') ? eb('operation', 'like', `${pattern.slice(0, -1)}%`) : eb('operation', '=', pattern),
      ),
    )
