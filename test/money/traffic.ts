import { encoding_for_model } from 'tiktoken'
import { dice } from '../support/random.ts'
import type { Plan } from './asking.ts'
import type { Script } from './truth.ts'

/** What is drawn of a hundred requests: 10 whose client leaves, 5 that the upstream breaks, the rest whole. */
export const kinds = [
  ['leaves a stream that waits', 5],
  ['leaves a stream that flows', 2],
  ['leaves before the reply', 3],
  ['is broken in mid-stream', 3],
  ['is broken before the reply', 1],
  ['is broken in mid-document', 1],
  ['streams', 50],
  ['comes in one piece', 35],
] as const
export type Kind = (typeof kinds)[number][0]

export interface Drawn extends Plan {
  kind: Kind
  /** Tokens of the prompt, counted with the published tokenizer. */
  promptTokens: number
}

const counting = encoding_for_model('gpt-4')

/** The request of a number: the same seed draws the same traffic. */
export function draw(seed: number, number: number): Drawn {
  const { below } = dice(seed * 1_000_003 + number)
  const kind = pick(below(100))
  const pieces = 2 + below(8)
  const after = 1 + below(pieces - 1)
  // A usage that nobody could guess: it is told by the upstream, and by nobody else.
  const told: Script = { pieces, end: 'whole', after: 0, prompt: 1 + below(5000), completion: 1 + below(900) }
  const plan = planOf(kind, told, after)
  return { ...plan, tag: `m-${seed}-${number}`, kind, promptTokens: promptOf(plan.script) }
}

/** Tokens of the one message that holds a script: three around it, one for its role, three before the reply, as OpenAI's cookbook says. */
export const promptOf = (script: Script): number => counting.encode(JSON.stringify(script)).length + 7

/** The same script, telling what its own prompt holds: what it tells is in the prompt. */
export function truthful(script: Script): Script {
  const told = { ...script, prompt: promptOf(script) }
  return told.prompt === script.prompt ? told : truthful(told)
}

function planOf(kind: Kind, told: Script, after: number): Omit<Plan, 'tag'> {
  switch (kind) {
    case 'leaves a stream that waits':
      return { stream: true, script: { ...told, end: 'hold', after }, leavesAfter: after }
    case 'leaves a stream that flows':
      return { stream: true, script: { ...told, pieces: 150 }, leavesAfter: after }
    case 'leaves before the reply':
      return { stream: false, script: { ...told, end: 'hold' }, leavesAfter: 0 }
    case 'is broken in mid-stream':
      return { stream: true, script: { ...told, end: 'reset', after } }
    case 'is broken before the reply':
      return { stream: after % 2 === 0, script: { ...told, end: 'reset', after: 0 } }
    case 'is broken in mid-document':
      return { stream: false, script: { ...told, end: 'reset', after } }
    case 'streams':
      return { stream: true, script: told }
    case 'comes in one piece':
      return { stream: false, script: told }
  }
}

function pick(number: number): Kind {
  let below = 0
  for (const [kind, share] of kinds) {
    below += share
    if (number < below) return kind
  }
  throw new Error('The shares do not make a hundred.')
}
