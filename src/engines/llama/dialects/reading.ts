import type { Reply } from './reply.ts'
import { literal, Markers, malformed, next, type Reading, space, until } from './tape.ts'

/** How a family marks thoughts and calls in a reply that is otherwise text. */
export interface Form {
  readonly thoughts: readonly Thought[]
  /** What a call begins with. */
  readonly opens: readonly string[]
  /** A call may begin here without a marker. */
  readonly bare: (character: string) => boolean
  /** The prompt ends inside a call's frame, with this. */
  readonly promptOpen: string | null
  /** Reads what follows an opening; throws `malformed` when it is no call. */
  readonly read: (reply: Reply, open: string) => Reading<void>
}

export interface Thought {
  readonly open: string
  readonly close: string
}

/** Reads a reply: a thought, then text with calls in it. */
export function* plainReply(reply: Reply, form: Form): Reading<void> {
  const { tape, content } = reply
  const listening = reply.tools.size > 0
  if (form.promptOpen !== null && reply.prompt.endsWith(form.promptOpen)) yield* reply.attempt('', form.read(reply, ''))
  else yield* beginning(reply, form)
  if (listening && form.bare(yield* next(tape))) yield* reply.attempt('', form.read(reply, ''))
  const opens = new Markers(listening || form.promptOpen !== null ? form.opens : [])
  for (;;) {
    const open = yield* until(tape, opens, text => content.write(text))
    if (open === null) break
    // A bracket is part of what is opened.
    const read = tape.take(/[{[]$/.test(open) ? open.length - 1 : open.length)
    yield* reply.attempt(read, form.read(reply, open))
  }
  content.flush()
}

/** Thoughts stand first, or not at all: later their marks are text. */
function* beginning(reply: Reply, { thoughts }: Form): Reading<void> {
  const opened = thoughts.find(({ open }) => reply.prompt.trimEnd().endsWith(open))
  if (opened === undefined) yield* reply.attempt('', unopened(reply, thoughts))
  else yield* thinking(reply, opened)
}

function* unopened(reply: Reply, thoughts: readonly Thought[]): Reading<void> {
  yield* space(reply.tape)
  for (const thought of thoughts) {
    if (!(yield* literal(reply.tape, thought.open))) continue
    reply.tape.release()
    return yield* thinking(reply, thought)
  }
  throw malformed
}

function* thinking(reply: Reply, { close }: Thought): Reading<void> {
  const { tape, content, reasoning } = reply
  reasoning.skip()
  if ((yield* until(tape, new Markers([close]), text => reasoning.write(text))) === null) return reasoning.flush()
  tape.take(close.length)
  reasoning.drop()
  content.skip()
  yield* space(tape)
}
