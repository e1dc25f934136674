const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (number: number) => String(number).padStart(2, '0')
const hour12 = (date: Date) => date.getHours() % 12 || 12
const dayOfYear = (date: Date) =>
  Math.round((new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() - yearStart(date)) / 86_400_000) +
  1
const yearStart = (date: Date) => new Date(date.getFullYear(), 0, 1).getTime()

const codes: Readonly<Record<string, (date: Date) => string>> = {
  Y: date => String(date.getFullYear()),
  y: date => two(date.getFullYear() % 100),
  m: date => two(date.getMonth() + 1),
  d: date => two(date.getDate()),
  e: date => String(date.getDate()).padStart(2, ' '),
  H: date => two(date.getHours()),
  I: date => two(hour12(date)),
  M: date => two(date.getMinutes()),
  S: date => two(date.getSeconds()),
  p: date => (date.getHours() < 12 ? 'AM' : 'PM'),
  A: date => days[date.getDay()] ?? '',
  a: date => (days[date.getDay()] ?? '').slice(0, 3),
  B: date => months[date.getMonth()] ?? '',
  b: date => (months[date.getMonth()] ?? '').slice(0, 3),
  j: date => String(dayOfYear(date)).padStart(3, '0'),
  F: date => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
  T: date => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`,
  '%': () => '%',
}

/** C's `strftime` in English and local time; `%-d` without the zero in front. */
export function formattedDate(format: string, date: Date): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (found, bare: string, code: string) => {
    const text = codes[code]?.(date)
    if (text === undefined) return found
    return bare === '' ? text : text.replace(/^[0 ]+(?=.)/, '')
  })
}
