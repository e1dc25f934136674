import type { Reply } from './reply.ts'
import { expect, literal, Markers, malformed, type Reading, space, type Tape, until, upTo } from './tape.ts'

export const harmonyTokens = [
  '<|start|>',
  '<|channel|>',
  '<|constrain|>',
  '<|message|>',
  '<|end|>',
  '<|call|>',
  '<|return|>',
]

const headerMax = 512
const headerEnd = new Markers(['<|message|>'])
const bodyEnd = new Markers(['<|start|>', '<|channel|>', '<|end|>', '<|call|>', '<|return|>'])
const headStart = new Markers(['<|start|>', '<|channel|>'])

/**
 * gpt-oss: messages with a header each, `<|start|>assistant<|channel|>CHANNEL to=RECIPIENT<|message|>TEXT<|end|>`. The prompt ends
 * after the first `<|start|>assistant`. `analysis` is a thought, a recipient `functions.NAME` makes a call, the rest is text.
 */
export function* harmonyReply(reply: Reply): Reading<void> {
  const { tape, content, reasoning } = reply
  let read = ''
  for (;;) {
    yield* reply.attempt(read, message(reply, read))
    const marker = yield* until(tape, headStart, text => content.write(text))
    if (marker === null) break
    read = tape.take(marker.length)
  }
  content.flush()
  reasoning.flush()
}

function* message(reply: Reply, frame: string): Reading<void> {
  const { tape } = reply
  const { channel, name } = yield* header(tape, frame)
  if (name !== null && reply.tools.size > 0) {
    yield* space(tape)
    reply.begin(name)
    yield* until(tape, bodyEnd, text => reply.arguments(text))
    yield* ending(reply)
    return reply.finish()
  }
  tape.release()
  const voice = channel === 'analysis' ? reply.reasoning : reply.content
  voice.part()
  yield* until(tape, bodyEnd, text => voice.write(text))
  yield* ending(reply)
}

/** The tokens that end a message; those that begin the next one stay. */
function* ending({ tape }: Reply): Reading<void> {
  for (const token of ['<|end|>', '<|call|>', '<|return|>']) if (yield* literal(tape, token)) return
}

/** @param frame what was read of it already */
function* header(tape: Tape, frame: string): Reading<{ channel: string; name: string | null }> {
  const text = (frame || (yield* frameStart(tape))) + (yield* upTo(tape, headerEnd, headerMax))
  yield* expect(tape, '<|message|>')
  return {
    channel: /<\|channel\|>\s*([a-z]+)/.exec(text)?.[1] ?? '',
    name: /(?:^|[\s>])to=functions\.([^\s<]{1,256})/.exec(text)?.[1] ?? null,
  }
}

/** A reply without the frame must not wait for a header that never comes. */
function* frameStart(tape: Tape): Reading<string> {
  yield* space(tape)
  for (const start of ['<|channel|>', '<|start|>', 'to=']) if (yield* literal(tape, start)) return start
  throw malformed
}
