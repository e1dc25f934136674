import { literal } from './rules.ts'

/** Stand in a spelling for what differs from call to call. No model writes these characters. */
export const slots = {
  /** A number that counts the calls. */
  index: '\u{f0000}',
  /** An id of the model's own. */
  id: '\u{f0001}',
} as const

const slot = /([\u{f0000}\u{f0001}])/u

/** The pieces of a spelling: literal text, and slots between. */
export const spellingParts = (spelling: string): string[] => spelling.split(slot).filter(part => part !== '')

/** A spelling as part of a grammar. */
export function spelled(spelling: string): string {
  const parts = spellingParts(spelling).map(part => {
    if (part === slots.index) return '[0-9] [0-9]? [0-9]?'
    return part === slots.id ? id : literal(part)
  })
  return parts.length === 0 ? '""' : parts.join(' ')
}

/** Mistral's models write nine letters and digits, others more. */
const idMax = 24
const id = Array.from({ length: idMax }).reduce<string>(rest => `[a-zA-Z0-9_-]${rest === '' ? '' : ` (${rest})?`}`, '')
