/** Skill 4: saying what one is asked to say, word for word, also words that do not exist. */

import type { Language, Names } from '../names.ts'
import { capital } from '../names.ts'
import type { Chance } from '../random.ts'
import type { Draw, Raw, Turn } from './skill.ts'
import { fill } from './skill.ts'

/** After these the text is copied exactly. */
export const EXACT: Record<Language, readonly string[]> = {
  en: [
    'Repeat after me: {X}',
    'Please say: {X}',
    'Say: {X}',
    'Repeat: {X}',
    'Say "{X}"',
    'Repeat "{X}"',
    'Please repeat: {X}',
    'Echo: {X}',
    'Repeat this: {X}',
    'Say exactly: {X}',
    'Say the following: {X}',
    'Please say "{X}"',
    'Repeat the following text: {X}',
    'Copy this: {X}',
    'Write: {X}',
    'Write "{X}"',
    'Can you say "{X}"?',
    'Please say "{X}" for me.',
    'Could you repeat "{X}"?',
    'Print: {X}',
    'Type this: {X}',
    'Say this: {X}',
    'Reply with: {X}',
    'Answer with exactly this: {X}',
    'Respond with "{X}"',
    "Say '{X}'",
    'Just say {Q}',
    'Only say: {X}',
    'Repeat these words: {X}',
    'Output: {X}',
    'echo {Q}',
    'Please write "{X}".',
    'Say the words "{X}".',
    'Repeat after me\n{X}',
    'Repeat the text:\n\n{X}',
  ],
  zh: [
    '请说：{X}',
    '请重复：{X}',
    '重复：{X}',
    '跟我说：{X}',
    '请说“{X}”',
    '说“{X}”',
    '重复一遍：{X}',
    '请重复“{X}”',
    '跟我读：{X}',
    '复述：{X}',
    '说：{X}',
    '请跟我说：{X}',
    '请照着说：{X}',
    '你能说“{X}”吗？',
    '请写：{X}',
    '写下：{X}',
    '请输出：{X}',
    '请重复下面的话：{X}',
    '请重复这句话：{X}',
    '照样说：{X}',
    '只说“{X}”',
    '请回复：{X}',
    '回答“{X}”',
    '请说"{X}"',
    '复述这句话：{X}',
    '请原样输出：{X}',
  ],
}

/** After these the text follows directly; the answer is a sentence: first letter large, a mark at the end. */
export const BARE: Record<Language, readonly string[]> = {
  en: [
    'Say {X}',
    'Say {X}',
    'Say {X}',
    'Please say {X}',
    'Can you say {X}',
    'Now say {X}',
    'Just say {X}',
    'I want you to say {X}',
    'Could you please say {X}',
  ],
  zh: ['请说{X}', '说{X}', '请你说{X}', '跟我说{X}', '重复{X}', '请重复{X}'],
}

export const GREET: Record<Language, readonly string[]> = {
  en: [
    'Say hello to {N}',
    'Say hi to {N}',
    'Greet {N}',
    'Please say hello to {N}.',
    'Can you say hello to {N}?',
    'Say hello to {N}!',
    'Please greet {N}',
    'Say hello to my friend {N}.',
    'Say hi to {N} for me',
  ],
  zh: [
    '向{N}问好',
    '请向{N}问好',
    '跟{N}打个招呼',
    '和{N}打招呼',
    '对{N}说你好',
    '请跟{N}问好。',
    '替我向{N}问好',
    '跟{N}说你好',
  ],
}

/** Texts that training asks for again and again, in whatever letters. */
const USUAL: Record<Language, readonly string[]> = {
  en: ['this is a test', 'This is a test', 'This is a test!', 'Hello world', 'hello world', 'Hello, world!'],
  zh: ['这是一个测试', '你好世界', '这是一次测试', '你好，世界！', '测试'],
}

/** True for a text that training asks for as it is: the evaluation leaves it out. */
export function isUsual(text: string): boolean {
  return usual.has(plain(text))
}

const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N} ]/gu, '')
const usual = new Set(Object.values(USUAL).flat().map(plain))

/** First words that the model knows with a small and a large letter. */
export const OPENERS =
  'this it the I we you he she they there that here what my your our his her a today now good hello let please never all some every no yes one two life time all love nothing everything people'.split(
    ' ',
  )

const FRAMES = [
  'is a {W}',
  'is a {W} {W}',
  'is {W}',
  'was {W}',
  'has a {W}',
  'likes {W}',
  'and {W}',
  'will {W}',
  'is not a {W}',
  'is the {W} of {C}',
  'can {W}',
  '{W}',
  '{W} {W}',
  '{W} {W} {W}',
  '{P} {W}',
  'and {N} {W}',
]

export function copyTurn(draw: Draw, language: Language, exact = EXACT, bare = BARE, greet = GREET): Turn {
  const { chance, names } = draw
  const kind = chance.weighted([
    ['exact', 6],
    ['bare', 3],
    ['greet', 1.2],
  ] as const)
  if (kind === 'greet') {
    const name = names.person(chance, language)
    return {
      user: fill(chance.pick(greet[language]), { N: name }),
      reply: language === 'zh' ? `你好，${name}！` : `Hello, ${name}!`,
    }
  }
  if (kind === 'bare') return bareTurn(draw, language, bare)
  const text = phrase(chance, names, language)
  const template = chance.pick(exact[language])
  const user = fill(template, { X: text, Q: `"${text}"` })
  return { user: chance.maybe(0.1) ? user.charAt(0).toLowerCase() + user.slice(1) : user, reply: text }
}

function bareTurn({ chance, names }: Draw, language: Language, bare: Record<Language, readonly string[]>): Turn {
  const template = chance.pick(bare[language])
  if (language === 'zh') {
    const text = zhPhrase(chance, names).replace(/[。！？]$/u, '')
    const user = fill(template, { X: text })
    const mark = chance.pick(['', '', '。', '！'])
    return { user: user + mark, reply: text + (mark || '。') }
  }
  const opener = chance.pick(OPENERS)
  const named = chance.maybe(0.25)
  const body = fillFrame(chance, names, chance.pick(FRAMES))
  const text = chance.maybe(0.08) ? 'this is a test' : `${named ? names.person(chance, 'en') : opener} ${body}`
  const mark = chance.pick(['', '', '', '.', '!', '?'])
  const user = fill(template, { X: text }) + mark
  return {
    user: chance.maybe(0.15) ? user.charAt(0).toLowerCase() + user.slice(1) : user,
    reply: capital(text) + (mark || '.'),
  }
}

/** The same request as a bare prompt, with the answer after an empty line. */
export function rawCopy(draw: Draw): Raw {
  const turn = draw.chance.maybe(0.5)
    ? bareTurn(draw, 'en', BARE)
    : copyTurn(draw, draw.chance.maybe(0.3) ? 'zh' : 'en')
  return { text: `${turn.user}\n\n${turn.reply}`, from: turn.user.length, ends: true }
}

function fillFrame(chance: Chance, names: Names, frame: string): string {
  return frame.replace(/\{([A-Z])\}/g, (_, slot: string) =>
    slot === 'C'
      ? names.city(chance, 'en')
      : slot === 'N'
        ? names.person(chance, 'en')
        : slot === 'P' || chance.maybe(0.35)
          ? names.pseudo(chance, 'en')
          : names.word(chance, 'en'),
  )
}

/** One to eight words: known, made up, names, numbers, small or large letters, with or without a mark. */
export function phrase(chance: Chance, names: Names, language: Language): string {
  if (language === 'zh') return zhPhrase(chance, names)
  const kind = chance.next()
  if (kind < 0.18) return names.sentence(chance, 'en')
  if (kind < 0.22) return chance.pick(USUAL.en)
  const count = chance.weighted([
    [1, 3],
    [2, 3],
    [3, 3],
    [4, 2],
    [5, 2],
    [6, 1],
    [7, 1],
    [8, 1],
    [chance.between(9, 20), 0.8],
  ])
  const made = chance.pick([0.15, 0.5, 1])
  const words = Array.from({ length: count }, () => {
    const word = chance.maybe(made)
      ? names.pseudo(chance, 'en')
      : chance.maybe(0.12)
        ? names.person(chance, 'en')
        : names.word(chance, 'en')
    return chance.maybe(0.06) ? String(chance.between(0, 999)) : word
  })
  const style = chance.next()
  const text = style < 0.1 ? words.map(capital).join(' ') : style < 0.14 ? words.join(', ') : words.join(' ')
  const end = chance.maybe(0.3) ? chance.pick(['.', '!', '?', '!', '.']) : ''
  return (style < 0.4 ? capital(text) : style < 0.44 ? text.toUpperCase() : text) + end
}

function zhPhrase(chance: Chance, names: Names): string {
  const kind = chance.next()
  if (kind < 0.3) return names.sentence(chance, 'zh')
  if (kind < 0.36) return chance.pick(USUAL.zh)
  const made = chance.pick([0.2, 0.6, 1])
  const count = chance.between(1, 4)
  const words = Array.from({ length: count }, () =>
    chance.maybe(made)
      ? names.pseudo(chance, 'zh')
      : chance.maybe(0.2)
        ? names.person(chance, 'zh')
        : chance.maybe(0.2)
          ? names.city(chance, 'zh')
          : names.word(chance, 'zh'),
  )
  return words.join(chance.maybe(0.12) ? '，' : '') + (chance.maybe(0.3) ? chance.pick(['。', '！', '？']) : '')
}

/** A document for the first hours of learning: short made-up lists said twice. */
export function drillTurn({ chance, names }: Draw, language: Language): Turn {
  const text = Array.from({ length: chance.between(1, language === 'zh' ? 2 : 4) }, () =>
    names.pseudo(chance, language),
  ).join(language === 'zh' ? '' : ' ')
  const out = language === 'en' && chance.maybe(0.4) ? text.split(' ').map(capital).join(' ') : text
  return { user: fill(chance.pick(EXACT[language]), { X: out, Q: `"${out}"` }), reply: out }
}
