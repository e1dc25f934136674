/** How the families write calls: one reader each, started after the marker that was found. */
import { callList, objectArguments, plainName } from './calls.ts'
import type { Reply } from './reply.ts'
import { functionTag, parameterRows, type RowForm } from './tags.ts'
import { expect, literal, Markers, malformed, next, type Reading, space, until } from './tape.ts'

/** Hermes, Qwen: `<tool_call>{"name": …, "arguments": …}</tool_call>`; Qwen3-Coder: a function tag inside. */
export function* toolCallTag(reply: Reply, open: string): Reading<void> {
  const { tape } = reply
  if (open === '<function=') return yield* taggedFunction(reply, '</tool_call>')
  if (open.startsWith('```')) return yield* callList(reply, { close: '```', offered: true })
  if (open !== '<tool_call>') return yield* callList(reply, { close: null, offered: true })
  const first = yield* space(tape)
  if (first === '{' || first === '[') return yield* callList(reply, { close: '</tool_call>', offered: false })
  if (yield* literal(tape, '<function=')) return yield* taggedFunction(reply, '</tool_call>')
  yield* argumentPairs(reply)
}

function* taggedFunction(reply: Reply, close: string): Reading<void> {
  yield* functionTag(reply)
  yield* space(reply.tape)
  yield* literal(reply.tape, close)
}

const pairs: RowForm = {
  open: '<arg_key>',
  between: ['</arg_key>', '<arg_value>'],
  close: '</arg_value>',
  end: '</tool_call>',
}
const pairsNameEnd = new Markers(['<', '\n'])

/** GLM: the name, then `<arg_key>…</arg_key><arg_value>…</arg_value>`. */
function* argumentPairs(reply: Reply): Reading<void> {
  const name = yield* plainName(reply, pairsNameEnd)
  yield* parameterRows(reply, name, pairs)
  reply.finish()
}

/** Llama 3: JSON after `<|python_tag|>`, or at the start of a line. Code of the built-in tools after the tag is text. */
export const llamaCalls = (reply: Reply, open: string): Reading<void> =>
  open === '<function=' ? functionTag(reply) : callList(reply, { close: null, offered: open !== '<|python_tag|>' })

/** Phi, Granite: a list of calls in JSON between tokens, or after the word `functools`. */
export function* phiCalls(reply: Reply, open: string): Reading<void> {
  yield* callList(reply, { close: open === '<|tool_call|>' ? '<|/tool_call|>' : null, offered: false })
}

const mistralNameEnd = new Markers(['[ARGS]', '[CALL_ID]', '{'])
const mistralIdEnd = new Markers(['[ARGS]', '{'])

/** Mistral: `[TOOL_CALLS]` and a list in JSON; since 2025 `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{…}` for each call. */
export function* mistralCalls(reply: Reply): Reading<void> {
  const { tape } = reply
  const first = yield* space(tape)
  if (first === '[' || first === '{') return yield* callList(reply, { close: null, offered: false })
  const name = yield* plainName(reply, mistralNameEnd)
  const id = (yield* literal(tape, '[CALL_ID]')) ? yield* plainName(reply, mistralIdEnd) : undefined
  yield* literal(tape, '[ARGS]')
  if ((yield* space(tape)) !== '{') throw malformed
  reply.begin(name, id)
  yield* objectArguments(reply, '[TOOL_CALLS]')
  reply.finish()
}

export const deepseekTokens = {
  calls: '<｜tool▁calls▁begin｜>',
  call: '<｜tool▁call▁begin｜>',
  middle: '<｜tool▁sep｜>',
  callEnd: '<｜tool▁call▁end｜>',
  callsEnd: '<｜tool▁calls▁end｜>',
} as const
const deepseekMiddle = new Markers([deepseekTokens.middle])
const lineEnd = new Markers(['\n'])

/** DeepSeek: `function<sep>NAME`, a line's end and fenced JSON; since V3.1 `NAME<sep>{…}`. */
export function* deepseekCalls(reply: Reply, open: string): Reading<void> {
  const { tape } = reply
  const { calls, call, middle, callEnd, callsEnd } = deepseekTokens
  if (open === calls) {
    yield* space(tape)
    yield* expect(tape, call)
  }
  do {
    let name = yield* plainName(reply, deepseekMiddle)
    yield* expect(tape, middle)
    if ((yield* space(tape)) !== '{') {
      name = yield* plainName(reply, lineEnd)
      yield* space(tape)
      yield* literal(tape, '```json')
      if ((yield* space(tape)) !== '{') throw malformed
    }
    reply.begin(name)
    yield* objectArguments(reply, callEnd)
    tape.mark()
    yield* space(tape)
    yield* literal(tape, '```')
    yield* space(tape)
    yield* literal(tape, callEnd)
    reply.finish()
    yield* space(tape)
  } while (yield* literal(tape, call))
  yield* literal(tape, callsEnd)
}

const recipientEnd = new Markers(['\n'])
const recipient = '>>>'

/** Functionary: `>>>all` and text, or `>>>NAME` and arguments, each up to the next `>>>`. */
export function* functionaryCalls(reply: Reply): Reading<void> {
  const { tape, content } = reply
  const name = yield* plainName(reply, recipientEnd)
  yield* expect(tape, '\n')
  if (name === 'all') return content.drop()
  // Three brackets stand in many texts; only an offered function makes a call of them.
  if (!reply.tools.has(name)) throw malformed
  reply.begin(name)
  if ((yield* next(tape)) === '{') yield* objectArguments(reply, recipient)
  else yield* until(tape, new Markers([recipient]), text => reply.arguments(text))
  reply.finish()
  yield* space(tape)
}
