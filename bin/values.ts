import { UsageError } from './run.ts'

/** What people write into arguments: amounts, counts, moments and spans of time. All of them throw UsageError with what to write. */

const dayMs = 86_400_000
const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: dayMs, w: 7 * dayMs }

/** Dollars: `5`, `0.15`, `$5`. @param what for the message, such as `--hard` */
export function usd(what: string, text: string): number {
  if (!/^\$?(?:\d+(?:\.\d+)?|\.\d+)$/.test(text))
    throw new UsageError(`${what} is an amount in dollars that is not negative, such as 5 or 0.15, not '${text}'.`)
  return Number(text.replace('$', ''))
}

/** A whole number that is not negative. Underscores may stand in it. */
export function count(what: string, text: string): number {
  const plain = text.replaceAll('_', '')
  if (!/^\d{1,15}$/.test(plain))
    throw new UsageError(`${what} is a whole number that is not negative, such as 60, not '${text}'.`)
  return Number(plain)
}

/** `90s`, `15m`, `1h`, `30d`, `2w` in milliseconds. */
export function span(what: string, text: string): number {
  const [, number, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? []
  if (number === undefined || unit === undefined)
    throw new UsageError(`${what} is a span of time such as 90s, 15m, 1h, 30d or 2w, not '${text}'.`)
  return Number(number) * units[unit]!
}

/** A date (`2026-12-31`, its first moment in UTC) or a moment with its time zone, in unix milliseconds. */
export function moment(what: string, text: string): number {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text)
  const ms = isDate || isMoment ? Date.parse(text) : Number.NaN
  // The parser of dates makes the third of March out of the 31st of February.
  if (Number.isNaN(ms) || (isDate && new Date(ms).toISOString().slice(0, 10) !== text))
    throw new UsageError(`${what} is a date such as 2026-12-31 or a moment such as 2026-12-31T12:00Z, not '${text}'.`)
  return ms
}

/** The end of a stretch of time: of a date, its last moment; a moment itself. */
export const until = (what: string, text: string): number =>
  moment(what, text) + (/^\d{4}-\d{2}-\d{2}$/.test(text) ? dayMs : 0)

/** When something is to end: a span from now on, or a moment that is still to come. */
export function end(what: string, text: string, nowMs: number): number {
  const ms = /^\d+[a-z]$/i.test(text) ? nowMs + span(what, text) : moment(what, text)
  if (ms <= nowMs)
    throw new UsageError(`${what} ${text} has passed: give a moment in the future, or a span such as 30d.`)
  return ms
}

/** `a,b` and several options of the kind. */
export const words = (given: readonly string[] | undefined): string[] | undefined => {
  const all = given?.flatMap(text => text.split(',')).map(word => word.trim())
  return all?.filter(word => word !== '')
}

/** @throws UsageError for another word */
export function choice<const Words extends readonly string[]>(what: string, text: string, known: Words): Words[number] {
  const found = known.find(word => word === text)
  if (found === undefined) throw new UsageError(`${what} is one of ${known.join(', ')}, not '${text}'.`)
  return found
}

/** Unix seconds as a date, for tables. */
export const day = (seconds: number | null): string =>
  seconds === null ? '' : new Date(seconds * 1000).toISOString().slice(0, 10)

/** The same with the time, to the minute. */
export const minute = (seconds: number | null): string =>
  seconds === null ? '' : `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')}`

/** Dollars for a table: at least two decimals, and never rounded. */
export function dollars(amount: number): string {
  const [whole = '0', fraction = ''] = amount.toFixed(9).split('.')
  return `${whole}.${fraction.replace(/0+$/, '').padEnd(2, '0')}`
}

/** What others have named, in a table: one line, and nothing that a terminal would obey. */
export const plain = (text: string): string => text.replaceAll(/\p{Cc}|\p{Cf}/gu, '?')
