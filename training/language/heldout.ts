/**
 * Cases for the evaluation: ways of asking that no training document uses, filled with the names, pairs of numbers and
 * questions that training never sees. `heldout.test.ts` asserts that the two sides have nothing in common.
 */
import type { Message, Tool } from './chat.ts'
import { assistantText } from './chat.ts'
import { HELD } from './held-asks.ts'
import { type Language, makeNames } from './names.ts'
import { Chance } from './random.ts'
import { copyTurn } from './skills/copying.ts'
import { FALLBACK, fallbackTurn, openQuestions } from './skills/fallback.ts'
import { CHAT_TERMS, countTurn, drawSequence, sequenceTurn, terms } from './skills/numbers.ts'
import { commentsByMood, sentimentTurn } from './skills/sentiment.ts'
import type { Draw } from './skills/skill.ts'
import { type Intent, TALK } from './skills/talk.ts'
import { askTool, callMessage, idleTools, resultMessages } from './skills/tools.ts'
import type { Sources } from './sources.ts'

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
export function heldCases(sources: Sources, skill: SkillName, language: Language, count: number, seed = 2024): Case[] {
  const chance = new Chance(seed + SKILL_NAMES.indexOf(skill) * 10 + (language === 'zh' ? 1 : 0))
  const draw: Draw = { chance, names: makeNames(sources, 'held') }
  const make = maker(sources, draw, skill, language)
  return Array.from({ length: count }, make)
}

function maker(sources: Sources, draw: Draw, skill: SkillName, language: Language): () => Case {
  const { chance } = draw
  const questions = openQuestions(sources, 'held')
  const comments = commentsByMood(sources, 'test', [])
  const turnCase = (): Case =>
    oneTurn(draw, language, chance.pick(['continue', 'count', 'talk', 'copy', 'fallback'] as const), questions)
  switch (skill) {
    case 'complete':
      return () => completion(chance)
    case 'copy-raw':
      return () => {
        const { user, reply } = copyTurn(draw, 'en', HELD.exact, HELD.bare, HELD.greet)
        return { prompt: user, maxTokens: 80, expected: reply, right: answer => answer.trim() === reply }
      }
    case 'sentiment-comments':
      return () => {
        const mood = chance.pick(['positive', 'negative', 'neutral'] as const)
        const question = chance.pick(HELD.sentiment.en.filter(text => text.includes('neutral')))
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
        const asked = askTool(draw, language, HELD.tools)
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
        const asked = askTool(draw, language, HELD.tools)
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
      return () => oneTurn(draw, language, skill, questions)
  }
}

function oneTurn(
  draw: Draw,
  language: Language,
  skill: 'continue' | 'count' | 'talk' | 'copy' | 'sentiment' | 'fallback',
  questions: ReturnType<typeof openQuestions>,
): Case {
  const { chance } = draw
  switch (skill) {
    case 'continue': {
      const { user, reply } = sequenceTurn(draw, language, 'held', HELD.sequence)
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
        messages: withSystem(chance, chance.pick(HELD.talk[language][intent])),
        expected: replies[0] ?? '',
        right: (answer, ended) => ended && replies.includes(answer),
      }
    }
    case 'fallback': {
      const { user } = fallbackTurn(draw, language, questions, HELD.open)
      const replies: readonly string[] = FALLBACK[language]
      return {
        messages: withSystem(chance, user),
        expected: replies[0] ?? '',
        right: (answer, ended) => ended && replies.includes(answer),
      }
    }
    default: {
      const { user, reply } =
        skill === 'count'
          ? countTurn(draw, language, 'held', HELD.count)
          : skill === 'copy'
            ? copyTurn(draw, language, HELD.exact, HELD.bare, HELD.greet)
            : sentimentTurn(draw, language, undefined, HELD.reviews, HELD.sentiment)
      return { ...exactly(reply), messages: withSystem(chance, user) }
    }
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
