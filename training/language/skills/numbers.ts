/** Skills 1 and 2: continuing sequences of numbers, and counting to a number. */

import type { Language, Side } from '../names.ts'
import type { Chance } from '../random.ts'
import { hash } from '../random.ts'
import type { Draw, Raw, Turn } from './skill.ts'
import { casual, casualZh, fill } from './skill.ts'

export interface Sequence {
  readonly start: number
  readonly step: number
}

/** How many more terms a chat answer gives. */
export const CHAT_TERMS = 10

/** A tenth of all sequences and of all pairs to count between is held out. */
export function isHeldPair(a: number, b: number): boolean {
  return hash(`${a}/${b}`) % 10 === 0
}

/** The sequence shown in every document about completions: it stays in the training. */
const SHOWN: Sequence = { start: 1, step: 1 }

export function drawSequence(chance: Chance, side: Side, terms: number): Sequence {
  if (side === 'train' && chance.maybe(0.1)) return SHOWN
  for (;;) {
    const step = chance.weighted([
      [1, 5],
      [2, 4],
      [3, 3],
      [4, 2],
      [5, 3],
      [6, 2],
      [7, 2],
      [8, 2],
      [9, 2],
      [10, 3],
      [11, 2],
      [12, 2],
    ] as const)
    const down = chance.maybe(0.22)
    const start = chance.maybe(0.35)
      ? chance.pick([step, 1, 0])
      : chance.weighted([
          [chance.between(0, 20), 3],
          [chance.between(0, 60), 2],
          [chance.between(0, 120), 1],
        ])
    const sequence = down ? { start: start + step * terms + chance.between(0, 10), step: -step } : { start, step }
    if (sequence.start === 1 && sequence.step === 1) continue
    if (isHeldPair(sequence.start, sequence.step) === (side === 'held')) return sequence
  }
}

/** The first terms, ending before a number below 0. */
export function terms({ start, step }: Sequence, count: number): number[] {
  const out: number[] = []
  for (let i = 0; i < count && start + i * step >= 0; i++) out.push(start + i * step)
  return out
}

export const SEPARATORS = [', ', ', ', ', ', ' ', '\n', ',', '; ', ' - '] as const

/** A run of numbers that simply goes on; learnt from the third term on. */
export function rawSequence(chance: Chance, side: Side = 'train'): Raw {
  const separator = chance.pick(SEPARATORS)
  const count = chance.between(20, 26)
  const list = terms(drawSequence(chance, side, count), count).map(String)
  const lead = chance.maybe(0.06)
    ? chance.pick(['Numbers: ', 'Count: ', 'Sequence: ', 'Here we go: ', 'Counting: '])
    : ''
  return {
    text: lead + list.join(separator) + separator.trimEnd(),
    from: lead.length + list.slice(0, 3).join(separator).length,
    ends: false,
  }
}

const CONTINUE: Record<Language, readonly string[]> = {
  en: [
    'Continue: {S}',
    'Continue the sequence: {S}',
    'Continue this: {S}',
    'What comes next: {S}',
    'What comes next? {S}',
    'Go on: {S}',
    'Complete the sequence {S}',
    'Complete: {S}',
    'Keep going: {S}',
    'Continue the pattern: {S}',
    'Extend this list: {S}',
    '{S}',
    'Continue the series {S}',
    'What numbers follow? {S}',
    'Next numbers: {S}',
    'Please continue {S}',
    'Carry on with {S}',
    'Finish this: {S}',
  ],
  zh: [
    '继续：{S}',
    '请继续：{S}',
    '接着数：{S}',
    '继续这个数列：{S}',
    '接下来是什么？{S}',
    '往下写：{S}',
    '补充数列：{S}',
    '{S}',
    '请接着写 {S}',
    '请继续这个序列：{S}',
    '下面的数字是什么：{S}',
    '继续数 {S}',
    '按规律继续：{S}',
    '找规律，继续写：{S}',
  ],
}

export function sequenceTurn({ chance }: Draw, language: Language, side: Side = 'train', templates = CONTINUE): Turn {
  const shown = chance.between(3, 5)
  const list = terms(drawSequence(chance, side, shown + CHAT_TERMS), shown + CHAT_TERMS).map(String)
  const glue = language === 'zh' ? chance.pick(['、', '，', ', ', '、']) : chance.pick([', ', ', ', ', ', ' ', ','])
  const tail = chance.pick(
    glue === ' ' ? ['', '', ' ...'] : [glue.trimEnd(), glue.trimEnd(), '', `${glue}...`, ` and so on`],
  )
  const end = language === 'zh' && tail === ' and so on' ? '……' : tail
  const user = fill(chance.pick(templates[language]), { S: list.slice(0, shown).join(glue) + end })
  return { user, reply: list.slice(shown).join(glue === '，' ? '，' : glue === '、' ? '、' : ', ') }
}

export const TEMPLATES_CONTINUE = CONTINUE

const COUNT_TO: Record<Language, readonly string[]> = {
  en: [
    'Count to {B}.',
    'Count to {B}',
    'Count up to {B}.',
    'Can you count to {B}?',
    'Please count to {B}.',
    'Count from 1 to {B}.',
    'Count from one to {B}.',
    'Could you count to {B} for me?',
    'I want you to count to {B}.',
    'Count 1 to {B}',
    'Numbers from 1 to {B}',
    'List the numbers from 1 to {B}.',
    'Write the numbers 1 to {B}.',
    "Let's count to {B}!",
    'Give me the numbers up to {B}.',
    'Show me how you count to {B}.',
    'Say the numbers from 1 to {B}.',
    'Count to {B}, with a comma between each number and no newlines. E.g., 1, 2, 3, ...',
    'Count to {B} please, without any other text.',
    'Count slowly to {B}.',
    'Can you please count to {B}?',
    'I need you to count to {B}.',
    'Now count to {B}',
    'One to {B}, please count.',
    'Try to count to {B}.',
    'Do you know how to count to {B}?',
  ],
  zh: [
    '从1数到{B}',
    '从一数到{B}',
    '数到{B}',
    '请数到{B}。',
    '请从1数到{B}。',
    '你能数到{B}吗？',
    '帮我从1数到{B}',
    '列出1到{B}的数字',
    '写出1到{B}',
    '从 1 数到 {B}',
    '1到{B}数一遍',
    '给我数数，数到{B}',
    '请从一开始数到{B}',
    '能从1数到{B}吗？',
    '数数，从1到{B}',
    '可以从1数到{B}吗？',
    '从1到{B}，一个一个数',
    '开始数数，数到{B}为止',
    '我要你从1数到{B}',
    '请帮我数到{B}',
  ],
}
const COUNT_BETWEEN: Record<Language, readonly string[]> = {
  en: [
    'Count from {A} to {B}.',
    'Count from {A} to {B}',
    'Please count from {A} to {B}.',
    'Can you count from {A} to {B}?',
    'List the numbers from {A} to {B}.',
    'Count {A} to {B}',
    'Numbers from {A} to {B}',
    'Give me all numbers from {A} to {B}.',
    'Write the numbers {A} to {B}.',
    'Start at {A} and count to {B}.',
    'Say the numbers from {A} to {B}.',
  ],
  zh: [
    '从{A}数到{B}',
    '请从{A}数到{B}。',
    '你能从{A}数到{B}吗？',
    '列出{A}到{B}的数字',
    '写出{A}到{B}',
    '从 {A} 数到 {B}',
    '帮我从{A}数到{B}',
    '从{A}开始数到{B}',
  ],
}
const COUNT_DOWN: Record<Language, readonly string[]> = {
  en: [
    'Count down from {A} to {B}.',
    'Count backwards from {A} to {B}.',
    'Please count down from {A} to {B}.',
    'Can you count backwards from {A} to {B}?',
    'Countdown from {A} to {B}',
  ],
  zh: ['从{A}倒数到{B}', '请从{A}倒数到{B}。', '倒数：从{A}到{B}', '从{A}往回数到{B}'],
}

export const TEMPLATES_COUNT = { to: COUNT_TO, between: COUNT_BETWEEN, down: COUNT_DOWN }

const WORDS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four twenty-five twenty-six twenty-seven twenty-eight twenty-nine thirty'.split(
    ' ',
  )

/** A number as people write it: digits, sometimes words up to thirty. */
export function spell(value: number, language: Language): string {
  if (language === 'en') return WORDS[value] ?? String(value)
  const digits = [...'零一二三四五六七八九十']
  if (value <= 10) return digits[value] ?? ''
  if (value >= 100) return String(value)
  const tens = Math.floor(value / 10)
  return `${tens > 1 ? digits[tens] : ''}十${value % 10 ? digits[value % 10] : ''}`
}

type Counting = 'to' | 'between' | 'down'
export const COUNTINGS: readonly (readonly [Counting, number])[] = [
  ['to', 5],
  ['between', 4],
  ['down', 1.5],
]

/** Counting. `side` chooses the pairs (A, B); counting from 1 uses every N in training. */
export function countTurn(
  { chance }: Draw,
  language: Language,
  side: Side = 'train',
  templates: Record<Counting, Record<Language, readonly string[]>> = TEMPLATES_COUNT,
  countings = COUNTINGS,
): Turn {
  const say = (value: number): string => (value <= 30 && chance.maybe(0.1) ? spell(value, language) : String(value))
  const glue = language === 'zh' ? '、' : ', '
  const kind = chance.weighted(countings)
  for (;;) {
    const low =
      kind === 'to'
        ? 1
        : chance.weighted([
            [chance.between(0, 20), 3],
            [chance.between(1, 90), 2],
          ])
    const length = chance.weighted([
      [chance.between(2, 8), 4],
      [chance.between(3, 16), 3],
      [chance.between(8, kind === 'to' ? 40 : 30), 2.5],
      [chance.between(30, kind === 'to' ? 100 : 40), 0.15],
    ])
    const high = low + length - (kind === 'to' ? 1 : 0)
    if (kind !== 'to' && isHeldPair(low, high) !== (side === 'held')) continue
    const up = terms({ start: low, step: 1 }, high - low + 1)
    const list = kind === 'down' ? up.reverse() : up
    const slots = { A: say(list[0] ?? 0), B: say(list.at(-1) ?? 0) }
    const text = fill(chance.pick(templates[kind][language]), slots)
    return { user: language === 'zh' ? casualZh(chance, text) : casual(chance, text), reply: list.join(glue) }
  }
}
