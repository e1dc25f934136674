/**
 * The two views of the evaluation. Both use names, sequences, pairs of numbers, reviews and open questions that training
 * never sees; `held` also asks for them in ways that training never uses, `trained` in the ways of the training.
 */
import { HELD, isHeldAsk } from './held-asks.ts'
import type { Language } from './names.ts'
import { BARE, EXACT, GREET } from './skills/copying.ts'
import { ASKS } from './skills/fallback.ts'
import { TEMPLATES_CONTINUE, TEMPLATES_COUNT } from './skills/numbers.ts'
import { QUESTIONS } from './skills/sentiment.ts'
import { type Intent, TALK } from './skills/talk.ts'

export type View = 'held' | 'trained'

type Ways = Record<Language, readonly string[]>

/** Ways of asking, by skill. */
export interface Asks {
  readonly sequence: Ways
  readonly count: Record<'to' | 'between' | 'down', Ways>
  readonly exact: Ways
  readonly bare: Ways
  readonly greet: Ways
  readonly talk: Record<Language, Record<Intent, readonly string[]>>
  readonly sentiment: Ways
  /** Questions about the weather; undefined: each kind of tool with its own. */
  readonly tools: Ways | undefined
  readonly open: Ways
}

export const VIEWS: Record<View, Asks> = {
  held: HELD,
  trained: {
    sequence: TEMPLATES_CONTINUE,
    count: TEMPLATES_COUNT,
    exact: EXACT,
    bare: BARE,
    greet: GREET,
    talk: { en: trainedTalk('en'), zh: trainedTalk('zh') },
    sentiment: QUESTIONS,
    tools: undefined,
    open: { en: ASKS.en.filter(hasSlot), zh: ASKS.zh.filter(hasSlot) },
  },
}

/** Without a slot the question itself would be in the training. */
function hasSlot(ask: string): boolean {
  return ask.includes('{')
}

/** Training leaves out what reads like a held-out way of asking. */
function trainedTalk(language: Language): Record<Intent, readonly string[]> {
  const entries = Object.entries(TALK).map(([intent, { asks }]) => [
    intent,
    asks[language].filter(text => !isHeldAsk(text)),
  ])
  return Object.fromEntries(entries) as Record<Intent, readonly string[]>
}
