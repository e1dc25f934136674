/** What every skill offers: single turns of a chat, and sometimes plain text to continue. */

import type { Language, Names } from '../names.ts'
import type { Chance } from '../random.ts'

export interface Turn {
  readonly user: string
  readonly reply: string
}

/** Text without a chat around it: the model learns to write `text` from the character `from` on. */
export interface Raw {
  readonly text: string
  readonly from: number
  /** False when the text would go on: no end is learnt. */
  readonly ends: boolean
}

export interface Draw {
  readonly chance: Chance
  readonly names: Names
}

export type MakeTurn = (draw: Draw, language: Language) => Turn

/** Replaces {SLOT}s. Throws RangeError on a slot without a value. */
export function fill(template: string, slots: Readonly<Record<string, string>>): string {
  return template.replace(/\{([A-Z]+)\}/g, (_, name: string) => {
    const value = slots[name]
    if (value === undefined) throw new RangeError(`no value for {${name}} in ${template}`)
    return value
  })
}

/** Polite or hasty beginnings. */
export const BEGINNINGS = {
  en: ['Please', 'Hey,', 'OK,', 'Now', 'Well,', 'Hi,', 'So,'],
  zh: ['请', '嗨，', '麻烦', '那么，', '帮我', '好，'],
} as const

/** The ways people type the same thing: other case, other or no final mark, a polite or hasty beginning. */
export function casual(chance: Chance, text: string): string {
  let out = text
  if (chance.maybe(0.12)) out = `${chance.pick(BEGINNINGS.en)} ${lowerFirst(out)}`
  if (chance.maybe(0.2)) out = out.replace(/[.?!]$/, '')
  else if (chance.maybe(0.1)) out = out.replace(/[.?]$/, chance.pick(['!', '...', ' ', '??', '!!', ' :)']))
  const style = chance.next()
  if (style < 0.15) out = lowerFirst(out)
  else if (style < 0.18) out = out.toLowerCase()
  return out.trim()
}

/** A slip of the finger in one word: a letter lost, doubled or swapped with the next. */
export function typo(chance: Chance, text: string): string {
  const at = chance.between(1, Math.max(1, text.length - 2))
  if (!/^[a-z]{2}$/i.test(text.slice(at, at + 2))) return text
  const [one = '', two = ''] = text.slice(at, at + 2)
  return text.slice(0, at) + chance.pick([one, one + one + two, two + one]) + text.slice(at + 2)
}

export function casualZh(chance: Chance, text: string): string {
  let out = text
  if (chance.maybe(0.12)) out = chance.pick(BEGINNINGS.zh) + out
  if (chance.maybe(0.25)) out = out.replace(/[。？！]$/u, '')
  else if (chance.maybe(0.12)) out = out.replace(/[。？！]$/u, chance.pick(['!', '?', '~', '。', '！！', '.']))
  return out
}

export function lowerFirst(text: string): string {
  return /^(I|I'|[A-Z]{2})\b/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1)
}
