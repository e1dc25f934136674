import { collectChat } from '../../engines/collect.ts'
import { fault } from '../../lib/faults.ts'
import { operation } from '../../platform/operation.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import { unknownFields } from '../../wire/check.ts'
import { Edit, EditRequest } from '../../wire/edits.ts'
import { callOf } from '../generation.ts'
import { editWorst, limitedChat } from '../worst.ts'

/** OpenAI's editing models are gone: a chat model is asked to do their work. */
export const createEdit = operation<EditRequest>({
  id: 'edits.create',
  method: 'POST',
  path: '/v1/edits',
  summary: 'Edits a text as an instruction says.',
  body: EditRequest,
  reply: Edit,
  scope: 'model.request',
  bills: 'tokens',
  worst: (body, asked) => editWorst(body.n ?? 1, asked, task.length),
  async run({ body }, context) {
    const [unknown] = unknownFields(EditRequest, body)
    if (unknown !== undefined) throw fault.unknownParameter(unknown.slice(0, 64))
    const engine = context.models.engineFor(context.target, 'chat')
    const { created, choices, usage } = await collectChat(
      engine.chat!(limitedChat(chatOf(body), context), callOf(context, 'chatcmpl')),
    )
    if (usage === undefined) throw fault.internal(new Error('The reply tells no usage.'))
    const edit: Edit = {
      object: 'edit',
      created,
      choices: choices.map(({ index, message }) => ({ text: message.content ?? '', index })),
      usage,
    }
    return { kind: 'json', value: edit }
  },
})

const task =
  'You edit texts. The message holds an instruction and a text. Answer with the text after the edit and nothing else: no greeting, no explanation, no quotation marks around it. Where the text is empty, write the one that the instruction asks for.'

function chatOf({ model, input, instruction, n, temperature, top_p }: EditRequest): ChatRequest {
  return {
    model,
    messages: [
      { role: 'system', content: task },
      { role: 'user', content: `Instruction: ${instruction}\n\nText:\n${input ?? ''}` },
    ],
    n: n ?? 1,
    ...(typeof temperature === 'number' && { temperature }),
    ...(typeof top_p === 'number' && { top_p }),
  }
}
