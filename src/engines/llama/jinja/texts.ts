/** What Python's texts can do, with their budget paid before anything large is made. */
import type { Budget } from './budget.ts'

/** What Python strips: JavaScript's own `trim` differs in some characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts them as white space
const space = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/** @param characters null: white space */
export function stripped(text: string, characters: string | null, left: boolean, right: boolean): string {
  const strips = characters === null ? (one: string) => space.test(one) : (one: string) => characters.includes(one)
  let start = 0
  let end = text.length
  if (left) while (start < end && strips(text.charAt(start))) start++
  if (right) while (end > start && strips(text.charAt(end - 1))) end--
  return text.slice(start, end)
}

export function count(text: string, part: string, most = Number.POSITIVE_INFINITY): number {
  if (part === '') return Math.min(text.length + 1, most)
  let found = 0
  for (let at = text.indexOf(part); at !== -1 && found < most; at = text.indexOf(part, at + part.length)) found++
  return found
}

/** @param most how many times; Python's -1 is Infinity here */
export function replaced(text: string, old: string, by: string, most: number, budget: Budget): string {
  const times = count(text, old, most)
  if (times === 0) return text
  budget.text(text.length + times * (by.length - old.length))
  budget.items(times)
  let left = times
  if (old === '') return [...text].map(one => (left-- > 0 ? by + one : one)).join('') + (left > 0 ? by : '')
  const parts: string[] = []
  let from = 0
  for (; left > 0; left--) {
    const at = text.indexOf(old, from)
    parts.push(text.slice(from, at), by)
    from = at + old.length
  }
  parts.push(text.slice(from))
  return parts.join('')
}

/** @param separator null: runs of white space */
export function split(text: string, separator: string | null, most: number, budget: Budget): string[] {
  budget.text(text.length)
  if (separator !== null) {
    const times = count(text, separator, most)
    budget.items(3 * times)
    const parts: string[] = []
    let from = 0
    for (let i = 0; i < times; i++) {
      const at = text.indexOf(separator, from)
      parts.push(text.slice(from, at))
      from = at + separator.length
    }
    parts.push(text.slice(from))
    return parts
  }
  const parts: string[] = []
  let rest = stripped(text, null, true, false)
  while (rest !== '') {
    budget.items(3)
    const end = parts.length >= most ? -1 : rest.search(space)
    if (end === -1) {
      parts.push(parts.length >= most ? rest : stripped(rest, null, false, true))
      break
    }
    parts.push(rest.slice(0, end))
    rest = stripped(rest.slice(end), null, true, false)
  }
  return parts
}

/** As `split`, but what is left over stands first. */
export function splitFromRight(text: string, separator: string, most: number, budget: Budget): string[] {
  const parts = split(text, separator, Number.POSITIVE_INFINITY, budget)
  const over = parts.length - 1 - most
  return over > 0 ? [parts.slice(0, over + 1).join(separator), ...parts.slice(over + 1)] : parts
}

export function lines(text: string, keepEnds: boolean, budget: Budget): string[] {
  budget.text(text.length)
  const found = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+/g) ?? []
  budget.items(3 * found.length)
  return keepEnds ? found : found.map(line => line.replace(/[\r\n]+$/, ''))
}

export function joined(parts: readonly string[], separator: string, budget: Budget): string {
  budget.text(parts.reduce((sum, part) => sum + part.length + separator.length, 0))
  return parts.join(separator)
}

export function repeated(text: string, times: number, budget: Budget): string {
  const whole = Math.max(0, Math.floor(times))
  budget.text(text.length * whole)
  return text.repeat(whole)
}

/** Jinja's filter: the first line and empty lines stay as they are, unless asked for. */
export function indented(text: string, by: string, first: boolean, blank: boolean, budget: Budget): string {
  budget.text(text.length + by.length * (count(text, '\n') + 1))
  return text
    .split('\n')
    .map((line, i) => ((i === 0 && !first) || (line === '' && !blank && i > 0) ? line : by + line))
    .join('\n')
}

/** Python's `title`, and Jinja's filter of that name, which begins words elsewhere. */
export const titled = (text: string) => text.replace(/\p{L}+/gu, capitalized)
export const wordsTitled = (text: string) =>
  text
    .split(/([-\s({[<]+)/)
    .map(capitalized)
    .join('')
export const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()

/** `'%s and %d' % (a, b)`: the forms that chat templates use. @param show how a value is printed */
export function filled(pattern: string, next: (kind: string) => string, budget: Budget): string {
  const parts = split(pattern, '%', Number.POSITIVE_INFINITY, budget)
  let text = parts[0] ?? ''
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i] ?? ''
    if (part === '' && i + 1 < parts.length) {
      text += `%${parts[++i]}`
      continue
    }
    const value = next(part.charAt(0))
    budget.text(text.length + value.length)
    text += value + part.slice(1)
  }
  return text
}
