import type { Wrapping } from './dialect.ts'
import type { Reply } from './reply.ts'
import { expect, literal, Markers, malformed, next, type Reading, space, until } from './tape.ts'

/** How a family marks thoughts and calls in a reply that is otherwise text. */
export interface Form {
  readonly thoughts: readonly Wrapping[]
  /** What stands around an answer, and is no part of it. */
  readonly answer: Wrapping | null
  /** What a call begins with. */
  readonly opens: readonly string[]
  /** A call may begin here without a marker. */
  readonly bare: (character: string) => boolean
  /** The prompt ends inside a call's frame, with this. */
  readonly promptOpen: string | null
  /** Reads what follows an opening; throws `malformed` when it is no call. */
  readonly read: (reply: Reply, open: string) => Reading<void>
}

/** Reads a reply: a thought, then text with calls in it. */
export function* plainReply(reply: Reply, form: Form): Reading<void> {
  const { tape, content } = reply
  const listening = reply.tools.size > 0
  if (form.promptOpen !== null && reply.prompt.endsWith(form.promptOpen)) yield* reply.attempt('', form.read(reply, ''))
  else yield* beginning(reply, form)
  if (form.answer !== null) yield* reply.attempt('', opened(reply, form.answer))
  if (listening && form.bare(yield* next(tape))) yield* reply.attempt('', form.read(reply, ''))
  const calls = listening || form.promptOpen !== null ? form.opens : []
  const marks = answerMarks(form.answer, calls)
  const opens = new Markers([...calls, ...marks])
  for (;;) {
    const open = yield* until(tape, opens, text => content.write(text))
    if (open === null) break
    if (marks.includes(open)) {
      tape.take(open.length)
      continue
    }
    // A bracket is part of what is opened.
    const read = tape.take(/[{[]$/.test(open) ? open.length - 1 : open.length)
    yield* reply.attempt(read, form.read(reply, open))
  }
  content.flush()
}

/** The marks of an answer, as far as they cannot be taken for one another or for a call. */
function answerMarks(answer: Wrapping | null, calls: readonly string[]): string[] {
  const marks: string[] = []
  for (const mark of answer === null ? [] : [answer.open, answer.close])
    if (mark !== '' && [...calls, ...marks].every(other => !other.includes(mark) && !mark.includes(other)))
      marks.push(mark)
  return marks
}

function* opened(reply: Reply, { open }: Wrapping): Reading<void> {
  yield* space(reply.tape)
  yield* expect(reply.tape, open)
}

/** Thoughts stand first, or not at all: later their marks are text. */
function* beginning(reply: Reply, { thoughts }: Form): Reading<void> {
  const opened = thoughts.find(({ open }) => reply.prompt.trimEnd().endsWith(open))
  if (opened === undefined) yield* reply.attempt('', unopened(reply, thoughts))
  else yield* thinking(reply, opened)
}

function* unopened(reply: Reply, thoughts: readonly Wrapping[]): Reading<void> {
  yield* space(reply.tape)
  for (const thought of thoughts) {
    if (!(yield* literal(reply.tape, thought.open))) continue
    reply.tape.release()
    return yield* thinking(reply, thought)
  }
  throw malformed
}

function* thinking(reply: Reply, { close }: Wrapping): Reading<void> {
  const { tape, content, reasoning } = reply
  reasoning.skip()
  if ((yield* until(tape, new Markers([close]), text => reasoning.write(text))) === null) return reasoning.flush()
  tape.take(close.length)
  reasoning.drop()
  content.skip()
  yield* space(tape)
}
