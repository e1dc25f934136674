import type { Automaton } from './automaton.ts'
import { Budget } from './limits.ts'
import { patternAutomaton } from './pattern.ts'
import type { Spot } from './spot.ts'

/** Years are 0000 to 9999; a 29th of February needs a leap year. */
const leapYear = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const date = `(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|${leapYear}-02-29)`
/** Without leap seconds. */
const time = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)'

const timeLength = '(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S)'
const dayLength = '(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?|\\d{1,9}D)'
const duration = `P(?:\\d{1,9}W|T${timeLength}|${dayLength}(?:T${timeLength})?)`

const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
const domainPart = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
const email = `${atom}(?:\\.${atom})*@(?:${domainPart}\\.)+${domainPart}`
/** Of the 253 characters a name may have, at most 251 can come about: six labels of 41. */
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,39}[A-Za-z0-9])?'
const hostname = `${label}(?:\\.${label}){0,5}`

const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4 = `${byte}(?:\\.${byte}){3}`
const group = '[0-9a-fA-F]{1,4}'
/** RFC 3986: eight groups, or fewer around one `::`; the last two may be an IPv4 address. */
const lastGroups = `(?:${group}:${group}|${ipv4})`
const ipv6 = [
  `(?:${group}:){6}${lastGroups}`,
  `::(?:${group}:){5}${lastGroups}`,
  `(?:${group})?::(?:${group}:){4}${lastGroups}`,
  `(?:(?:${group}:){0,1}${group})?::(?:${group}:){3}${lastGroups}`,
  `(?:(?:${group}:){0,2}${group})?::(?:${group}:){2}${lastGroups}`,
  `(?:(?:${group}:){0,3}${group})?::${group}:${lastGroups}`,
  `(?:(?:${group}:){0,4}${group})?::${lastGroups}`,
  `(?:(?:${group}:){0,5}${group})?::${group}`,
  `(?:(?:${group}:){0,6}${group})?::`,
].join('|')

const sources = {
  date,
  time,
  'date-time': `${date}T${time}`,
  duration,
  email,
  hostname,
  ipv4,
  ipv6,
  uuid: '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
} as const

export type Format = keyof typeof sources

export const formatNames = Object.keys(sources)
export const isFormat = (name: string): name is Format => Object.hasOwn(sources, name)

/** Once for each format and process, and not a caller's work. */
const ownSteps = 1_000_000
const made = new Map<Format, Automaton>()

/** The texts of a format. RFC 3339 for dates, times and durations; at most nine digits in a row where the RFC has no end. */
export function formatAutomaton(format: Format): Automaton {
  const known = made.get(format)
  if (known !== undefined) return known
  const spot: Spot = { place: { param: 'format', subject: `the format '${format}'` }, path: [] }
  const automaton = patternAutomaton(`^(?:${sources[format]})$`, new Budget(ownSteps), spot)
  if (automaton === undefined) throw new Error(`The format '${format}' has no text`)
  made.set(format, automaton)
  return automaton
}
