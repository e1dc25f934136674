/** The dialects of the model families that people run, told apart by their chat templates. */
import { toolsChosen } from './choice.ts'
import type { Dialect } from './dialect.ts'
import { familyOf, generic } from './families.ts'
import { conversation } from './history.ts'
import { mannersOf } from './manners.ts'
import { ReplyReader } from './reply.ts'

export { toolsAsked } from './choice.ts'
export type * from './dialect.ts'

/**
 * The dialect of a chat template, decided by its text alone. A template that knows no calls gets the generic dialect: tools are
 * described in the system message, calls are JSON in `<tool_call>` tags, results are said by the user.
 */
export function dialectOf(template: string): Dialect {
  const family = familyOf(template) ?? generic
  const manners = mannersOf(template, family)
  return {
    family: family.name,
    visible: family.visible,
    conversation: (messages, tools) => conversation(messages, tools, { manners, framing: family.framing }),
    choose: asked => toolsChosen(family, asked),
    parser: options => new ReplyReader(options, family.read),
  }
}
