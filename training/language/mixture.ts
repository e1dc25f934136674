/** What the model reads, in which order: documents made of skills, from copying drills to whole conversations. */

import type { Message, Segment } from './chat.ts'
import { renderChat } from './chat.ts'
import { isHeldAsk } from './held-asks.ts'
import type { Language, Side } from './names.ts'
import { makeNames } from './names.ts'
import { Chance } from './random.ts'
import { copyTurn, drillTurn, rawCopy } from './skills/copying.ts'
import { fallbackTurn, openQuestions } from './skills/fallback.ts'
import { countTurn, rawSequence, sequenceTurn } from './skills/numbers.ts'
import { commentsByMood, rawSentiment, sentimentTurn } from './skills/sentiment.ts'
import type { Draw, Raw, Turn } from './skills/skill.ts'
import { foreignAsks, talkTurn } from './skills/talk.ts'
import { idleTools, toolScene } from './skills/tools.ts'
import type { Sources } from './sources.ts'

export type Skill = 'sequence' | 'count' | 'talk' | 'copy' | 'sentiment' | 'fallback'

export const SYSTEM_PROMPTS: readonly string[] = [
  'You are a helpful assistant.',
  'You are a helpful assistant.',
  'You are a helpful assistant.',
  'You are ChatGPT, a large language model trained by OpenAI.',
  'Answer briefly.',
  'You are a friendly bot.',
  'Be concise.',
  'You are an assistant.',
  'You are a helpful AI.',
  'Reply in the language of the user.',
  'You are a polite assistant that answers in one sentence.',
  'You are an expert.',
  'Follow the instructions of the user.',
  'You are a weather assistant.',
  'You are a customer support agent.',
  'Be nice.',
  'You are a helpful, respectful and honest assistant.',
  'You are a teacher.',
  'Today is Monday.',
  'You are a helpful assistant for our shop.',
  'Use the tools when needed.',
  '你是一个有用的助手。',
  '你是一个乐于助人的助手。',
  '你是人工智能助手。',
  '请用中文回答。',
  '请简短回答。',
  '你是客服。',
  '你是天气助手。',
]

/** A stage of the curriculum: weights of the kinds of documents, and its share of all tokens. */
export interface Stage {
  readonly share: number
  readonly kinds: readonly (readonly [Kind, number])[]
}

type Kind = Skill | 'drill' | 'tools' | 'chat' | 'rawSequence' | 'rawCopy' | 'rawTurn' | 'rawSentiment' | 'prose'

/** Weights count documents, not tokens: a tool conversation is about five times as long as the others. */
export const STAGES: readonly Stage[] = [
  {
    share: 0.12,
    kinds: [
      ['drill', 7],
      ['copy', 3],
      ['count', 3],
      ['rawSequence', 2],
      ['sequence', 0.7],
      ['talk', 0.7],
      ['fallback', 0.5],
      ['tools', 0.8],
      ['prose', 0.2],
    ],
  },
  {
    share: 0.88,
    kinds: [
      ['copy', 2.8],
      ['talk', 1.8],
      ['sequence', 1.8],
      ['count', 3],
      ['sentiment', 2.2],
      ['fallback', 1.9],
      ['chat', 4],
      ['tools', 3.2],
      ['rawSequence', 2],
      ['rawCopy', 0.5],
      ['rawTurn', 0.4],
      ['rawSentiment', 0.25],
      ['prose', 0.2],
    ],
  },
]

const SKILLS: readonly (readonly [Skill, number])[] = [
  ['talk', 3],
  ['copy', 2.8],
  ['count', 2.2],
  ['sequence', 1.3],
  ['sentiment', 1.8],
  ['fallback', 2.2],
]

export interface Maker {
  /** One document of a stage. */
  document(stage: Stage): Segment[]
  turn(skill: Skill, language: Language): Turn
}

/** Makes documents from the names of one side; `unwanted` are words that no comment may hold. */
export function makeMixture(sources: Sources, seed: number, side: Side, unwanted: readonly string[]): Maker {
  const chance = new Chance(seed)
  const draw: Draw = { chance, names: makeNames(sources, side) }
  const split = side === 'train' ? 'train' : 'test'
  const comments = commentsByMood(sources, split, unwanted)
  const questions = openQuestions(sources, side)
  const foreign = foreignAsks(sources, split)
  const turn = (skill: Skill, language: Language): Turn => {
    for (;;) {
      const made = anyTurn(skill, language)
      if (side === 'held' || !isHeldAsk(made.user)) return made
    }
  }
  const anyTurn = (skill: Skill, language: Language): Turn => {
    if (skill === 'talk') return talkTurn(draw, language, foreign)
    if (skill === 'copy') return copyTurn(draw, language)
    if (skill === 'count') return countTurn(draw, language, side)
    if (skill === 'sequence') return sequenceTurn(draw, language, side)
    if (skill === 'sentiment') return sentimentTurn(draw, language, comments)
    return fallbackTurn(draw, language, questions)
  }
  const language = (): Language => (chance.maybe(0.58) ? 'en' : 'zh')
  const single = (made: Turn): Segment[] => renderChat([...system(draw), ...messages(made)])
  const document = (stage: Stage): Segment[] => {
    const kind = chance.weighted(stage.kinds)
    if (kind === 'drill') return single(drillTurn(draw, language()))
    if (kind === 'rawSequence') return rawSegments(rawSequence(chance, side))
    if (kind === 'rawCopy') return rawSegments(rawCopy(draw))
    if (kind === 'rawTurn') return rawSegments(rawTurn(turn(chance.weighted(SKILLS), language())))
    if (kind === 'rawSentiment') return rawSegments(rawSentiment(draw, comments))
    if (kind === 'prose') return prose(chance, sources.prose)
    if (kind === 'chat') return chat(draw, language(), turn)
    if (kind === 'tools') return toolDocument(draw, language(), turn)
    return single(turn(kind, language()))
  }
  return { document, turn }
}

/** Two to four turns; the language may change between them. */
function chat(draw: Draw, language: Language, turn: Maker['turn']): Segment[] {
  const { chance } = draw
  const count = chance.weighted([
    [2, 5],
    [3, 3],
    [4, 2],
    [chance.between(5, 9), 0.5],
  ])
  const turns = Array.from({ length: count }, () =>
    turn(chance.weighted(SKILLS), chance.maybe(0.9) ? language : chance.pick(['en', 'zh'])),
  )
  return renderChat([...system(draw), ...turns.flatMap(messages)])
}

function toolDocument(draw: Draw, language: Language, turn: Maker['turn']): Segment[] {
  const { chance } = draw
  const head = system(draw)
  if (chance.maybe(0.25)) {
    const turns = Array.from({ length: chance.between(1, 2) }, () => turn(chance.weighted(SKILLS), language))
    return renderChat([...head, ...turns.flatMap(messages)], idleTools(draw))
  }
  const before = chance.maybe(0.12) ? messages(turn(chance.weighted(SKILLS), language)) : []
  const { tools, messages: scene } = toolScene(draw, language)
  const answered = scene.at(-1)?.role === 'assistant' && scene.at(-2)?.role === 'tool'
  const after = answered && chance.maybe(0.2) ? messages(turn(chance.weighted(SKILLS), language)) : []
  return renderChat([...head, ...before, ...scene, ...after], tools)
}

/** None, a usual system prompt, or sentences of any kind. */
function system({ chance, names }: Draw): Message[] {
  if (chance.maybe(0.5)) return []
  if (chance.maybe(0.7)) return [{ role: 'system', content: chance.pick(SYSTEM_PROMPTS) }]
  const language = chance.pick(['en', 'en', 'zh'] as const)
  const role =
    language === 'zh'
      ? `你是${names.person(chance, 'zh')}，一个${names.word(chance, 'zh')}助手。`
      : `You are ${chance.pick(['a', 'an', 'the', `${names.person(chance, 'en')}, a`])} ${names.word(chance, 'en')} ${chance.pick(['assistant', 'bot', 'expert', 'helper', 'guide'])}.`
  const more = Array.from({ length: chance.between(0, 3) }, () => names.sentence(chance, language))
  return [
    {
      role: 'system',
      content: [role, ...more].slice(chance.maybe(0.2) && more.length > 0 ? 1 : 0).join(language === 'zh' ? '' : ' '),
    },
  ]
}

function messages({ user, reply }: Turn): Message[] {
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: reply },
  ]
}

/** A request without a chat around it: the answer stands after an empty line. */
function rawTurn({ user, reply }: Turn): Raw {
  return { text: `${user}\n\n${reply}`, from: user.length, ends: true }
}

function rawSegments({ text, from, ends }: Raw): Segment[] {
  return [
    { text: text.slice(0, from), learn: false },
    { text: text.slice(from) + (ends ? '<|im_end|>' : ''), learn: true },
  ]
}

/** A few sentences of a book, so that a plain English beginning finds an English continuation. */
function prose(chance: Chance, paragraphs: readonly string[]): Segment[] {
  return [{ text: chance.pick(paragraphs).slice(0, 260), learn: true }]
}
