/**
 * Cases for the evaluation: ways of asking of one view, filled with the names, pairs of numbers and questions that
 * training never sees. `heldout.test.ts` asserts that the two sides have nothing in common.
 */
import type { Message, Tool } from './chat.ts'
import { assistantText } from './chat.ts'
import { HELD } from './held-asks.ts'
import { type Language, makeNames } from './names.ts'
import { Chance, hash } from './random.ts'
import { copyTurn, isUsual } from './skills/copying.ts'
import { FALLBACK, fallbackTurn, openQuestions } from './skills/fallback.ts'
import { CHAT_TERMS, COUNTINGS, countTurn, drawSequence, sequenceTurn, terms } from './skills/numbers.ts'
import { commentsByMood, sentimentTurn } from './skills/sentiment.ts'
import type { Draw, Turn } from './skills/skill.ts'
import { type Intent, TALK } from './skills/talk.ts'
import { type Asked, askTool, callMessage, idleTools, NAMED, resultMessages } from './skills/tools.ts'
import type { Sources } from './sources.ts'
import { type Asks, VIEWS, type View } from './views.ts'

export interface Case {
  readonly messages?: readonly Message[]
  readonly tools?: readonly Tool[]
  /** Instead of messages: a prompt outside any chat, and how many tokens to take. */
  readonly prompt?: string
  readonly maxTokens?: number
  /** What the answer should be, for people. */
  readonly expected: string
  /** `ended`: the model stopped by itself. */
  readonly right: (answer: string, ended: boolean) => boolean
}

export type SkillName =
  | 'complete'
  | 'continue'
  | 'count'
  | 'count-to'
  | 'talk'
  | 'copy'
  | 'copy-raw'
  | 'sentiment'
  | 'sentiment-comments'
  | 'tools'
  | 'tools-idle'
  | 'tools-answer'
  | 'fallback'
  | 'chat'

/** Skills that exist in one language only. */
export const ENGLISH_ONLY: ReadonlySet<SkillName> = new Set(['complete', 'copy-raw', 'sentiment-comments'])

export const SKILL_NAMES: readonly SkillName[] = [
  'complete',
  'continue',
  'count',
  'count-to',
  'talk',
  'copy',
  'copy-raw',
  'sentiment',
  'sentiment-comments',
  'tools',
  'tools-idle',
  'tools-answer',
  'fallback',
  'chat',
]

/** `count` cases of one skill; the same seed gives the same cases. */
export function heldCases(
  sources: Sources,
  skill: SkillName,
  language: Language,
  count: number,
  view: View = 'held',
  seed = 2024,
): Case[] {
  const chance = new Chance(seed + hash(`${skill} ${language}`))
  const draw: Draw = { chance, names: makeNames(sources, 'held') }
  const make = maker(sources, draw, skill, language, VIEWS[view])
  return Array.from({ length: count }, make)
}

function maker(sources: Sources, draw: Draw, skill: SkillName, language: Language, asks: Asks): () => Case {
  const { chance } = draw
  const questions = openQuestions(sources, 'held')
  const comments = commentsByMood(sources, 'test', [])
  const turnCase = (): Case =>
    oneTurn(draw, language, chance.pick(['continue', 'count', 'count-to', 'talk', 'copy', 'fallback']), questions, asks)
  switch (skill) {
    case 'complete':
      return () => completion(chance)
    case 'copy-raw':
      return () => {
        const { user, reply } = unusualCopy(draw, 'en', asks)
        return { prompt: user, maxTokens: 80, expected: reply, right: answer => answer.trim() === reply }
      }
    case 'sentiment-comments':
      return () => {
        const mood = chance.pick(['positive', 'negative', 'neutral'] as const)
        const question = chance.pick(asks.sentiment.en.filter(text => text.includes('neutral')))
        const reply = { positive: 'Positive', negative: 'Negative', neutral: 'Neutral' }[mood]
        return {
          ...exactly(reply),
          messages: withSystem(
            chance,
            question.replace('{R}', () => chance.pick(comments[mood])),
          ),
        }
      }
    case 'tools':
      return () => {
        const asked = askFewCalls(draw, language, asks)
        return {
          ...exactly(assistantText(callMessage(asked.calls))),
          messages: withSystem(chance, asked.user),
          tools: asked.tools,
        }
      }
    case 'tools-idle':
      return () => ({ ...turnCase(), tools: idleTools(draw) })
    case 'tools-answer':
      return () => {
        const asked = askFewCalls(draw, language, asks)
        const results = resultMessages(draw, asked.calls, language)
        const reply = results.at(-1)?.content ?? ''
        return {
          ...exactly(reply),
          messages: [...withSystem(chance, asked.user), callMessage(asked.calls), ...results.slice(0, -1)],
          tools: asked.tools,
        }
      }
    case 'chat':
      return () => {
        const before = Array.from({ length: chance.between(1, 3) }, turnCase)
        const last = turnCase()
        const history = before.flatMap((one): Message[] => [
          ...(one.messages ?? []).filter(m => m.role !== 'system'),
          { role: 'assistant', content: one.expected },
        ])
        return {
          ...last,
          messages: [
            { role: 'system', content: 'You are a helpful assistant.' },
            ...history,
            ...(last.messages ?? []).filter(m => m.role !== 'system'),
          ],
        }
      }
    default:
      return () => oneTurn(draw, language, skill, questions, asks)
  }
}

function oneTurn(
  draw: Draw,
  language: Language,
  skill: 'continue' | 'count' | 'count-to' | 'talk' | 'copy' | 'sentiment' | 'fallback',
  questions: ReturnType<typeof openQuestions>,
  asks: Asks,
): Case {
  const { chance } = draw
  switch (skill) {
    case 'continue': {
      const { user, reply } = sequenceTurn(draw, language, 'held', asks.sequence)
      return {
        messages: withSystem(chance, user),
        expected: reply,
        right: (answer, ended) => ended && continues(answer, reply),
      }
    }
    case 'talk': {
      const intent = chance.pick(Object.keys(TALK) as Intent[])
      const replies: readonly string[] = TALK[intent].replies[language]
      return {
        messages: withSystem(chance, chance.pick(asks.talk[language][intent])),
        expected: replies[0] ?? '',
        right: (answer, ended) => ended && replies.includes(answer),
      }
    }
    case 'fallback': {
      const { user } = fallbackTurn(draw, language, questions, asks.open)
      const replies: readonly string[] = FALLBACK[language]
      return {
        messages: withSystem(chance, user),
        expected: replies[0] ?? '',
        right: (answer, ended) => ended && replies.includes(answer),
      }
    }
    default: {
      const { user, reply } =
        skill === 'copy'
          ? unusualCopy(draw, language, asks)
          : skill === 'sentiment'
            ? sentimentTurn(draw, language, undefined, HELD.reviews, asks.sentiment)
            : countCase(draw, language, asks, skill === 'count-to')
      return { ...exactly(reply), messages: withSystem(chance, user) }
    }
  }
}

/** From 1 on, or between a held-out pair; of these none has a 1, or it would be the other kind in other words. */
function countCase(draw: Draw, language: Language, asks: Asks, fromOne: boolean): Turn {
  const kinds = COUNTINGS.filter(([kind]) => (kind === 'to') === fromOne)
  for (;;) {
    const turn = countTurn(draw, language, 'held', asks.count, kinds)
    if (fromOne || !/(^|\D)1(\D|$)/.test(turn.reply)) return turn
  }
}

/** Something to repeat that training does not repeat as it is. */
function unusualCopy(draw: Draw, language: Language, { exact, bare, greet }: Asks): Turn {
  for (;;) {
    const turn = copyTurn(draw, language, exact, bare, greet)
    if (!isUsual(turn.reply)) return turn
  }
}

/** One to three calls: training has a few with four, which the model does not promise. */
function askFewCalls(draw: Draw, language: Language, asks: Asks): Asked {
  for (;;) {
    const asked = askTool(draw, language, asks.tools, NAMED)
    if (asked.calls.length <= 3) return asked
  }
}

/** A sequence without a chat: sixteen more terms have to be right. */
function completion(chance: Chance): Case {
  const separator = chance.pick([', ', ', ', ' ', '\n', ','])
  const shown = chance.between(4, 5)
  const list = terms(drawSequence(chance, 'held', shown + 16), shown + 16).map(String)
  const goal = list.slice(shown)
  return {
    prompt: list.slice(0, shown).join(separator) + separator.trimEnd(),
    maxTokens: 110,
    expected: goal.join(separator),
    right: answer => goal.every((term, i) => answer.match(/-?\d+/g)?.[i] === term),
  }
}

function exactly(reply: string): Pick<Case, 'expected' | 'right'> {
  return { expected: reply, right: (answer, ended) => ended && answer === reply }
}

/** At least five right terms, no wrong one, and an end after about ten. */
function continues(answer: string, reply: string): boolean {
  const said = answer.match(/\d+/g) ?? []
  const goal = reply.match(/\d+/g) ?? []
  return (
    said.length >= Math.min(5, goal.length) &&
    said.length <= CHAT_TERMS + 2 &&
    said.every((term, i) => i >= goal.length || term === goal[i])
  )
}

/** Half of the cases have the commonest system prompt. */
function withSystem(chance: Chance, user: string): Message[] {
  const message: Message = { role: 'user', content: user }
  return chance.maybe(0.5) ? [{ role: 'system', content: 'You are a helpful assistant.' }, message] : [message]
}
