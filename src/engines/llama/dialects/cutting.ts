/** Compares renderings of a template, to find what it puts around what it was given. */
import { slots } from '../grammar/slots.ts'

/** What both begin with, up to a place that is not inside a tag. */
export function commonStart(a: string, b: string): string {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return a.slice(0, outside(a, length))
}

/** What both end with, from a place that is not inside a tag. */
export function commonEnd(a: string, b: string): string {
  let length = 0
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length)) length++
  const end = a.slice(a.length - length)
  // Inside a tag: its beginning is not common.
  const close = end.indexOf('>')
  const open = end.indexOf('<')
  return close !== -1 && (open === -1 || close < open) && length < Math.max(a.length, b.length)
    ? end.slice(close + 1)
    : end
}

/** The last place up to here that is not inside `<…` or `[…`. */
function outside(text: string, end: number): number {
  const tag = /(<[^<>\s]*|\[[A-Z_]*)$/.exec(text.slice(0, end))
  return tag === null ? end : tag.index
}

const isDigit = (character: string | undefined) => character !== undefined && /[0-9]/.test(character)

/** The longest end of both in which they differ by numbers alone, with slots for these; it begins outside a tag. */
export function sharedEnd(a: string, b: string): { text: string; a: number; b: number } {
  let [i, j] = [a.length, b.length]
  let text = ''
  while (i > 0 && j > 0) {
    const [x, y] = [a[i - 1], b[j - 1]]
    if (x === y) {
      text = x + text
      i--
      j--
    } else if (isDigit(x) && isDigit(y)) {
      while (i > 0 && isDigit(a[i - 1])) i--
      while (j > 0 && isDigit(b[j - 1])) j--
      text = slots.index + text
    } else break
  }
  const cut = i === 0 && j === 0 ? 0 : (/^[^<>]*>/.exec(text)?.[0].length ?? 0)
  const lost = text.slice(0, cut)
  // A number is longer than its slot: then the tag stays whole.
  if (cut === 0 || lost.includes(slots.index)) return { text, a: i, b: j }
  return { text: text.slice(cut), a: i + cut, b: j + cut }
}

/** The longest beginning of both, with slots for numbers in which they differ; it ends outside a tag. */
export function sharedStart(a: string, b: string): { text: string; a: number; b: number } {
  const end = sharedEnd(mirrored(a), mirrored(b))
  return { text: mirrored(end.text), a: a.length - end.a, b: b.length - end.b }
}

const brackets = new Map([
  ['<', '>'],
  ['>', '<'],
])
const mirrored = (text: string) =>
  [...text]
    .reverse()
    .map(character => brackets.get(character) ?? character)
    .join('')

/** Both as one spelling, with slots for numbers in which they differ; null where they differ otherwise. */
export function merged(a: string, b: string): string | null {
  const shared = sharedEnd(a, b)
  return shared.a === 0 && shared.b === 0 ? shared.text : null
}
