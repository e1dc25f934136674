import { fault } from '../../lib/faults.ts'
import { operation } from '../../platform/operation.ts'
import { unknownFields } from '../../wire/check.ts'
import { refuseUnsupported } from '../../wire/parameters.ts'
import { InputTokens, InputTokensRequest } from '../../wire/tokens.ts'
import { chatInput } from './chat-input.ts'

export const countInputTokens = operation<InputTokensRequest>({
  id: 'responses.input_tokens.count',
  method: 'POST',
  path: '/v1/responses/input_tokens',
  summary: 'Counts the input tokens of a request without answering it.',
  body: InputTokensRequest,
  reply: InputTokens,
  scope: 'model.request',
  bills: 'nothing',
  async run({ body }, { models, signal }) {
    const [unknown] = unknownFields(InputTokensRequest, body)
    if (unknown !== undefined) throw fault.unknownParameter(unknown.slice(0, 64).toWellFormed())
    const target = models.resolve(body.model)
    const engine = models.engineFor(target, 'chat')
    const request = chatInput(body, target.name)
    if (engine.accepts === 'known') refuseUnsupported('chat', request, target.name)
    if (engine.tokenizer?.countChat === undefined) throw fault.wrongAbility(target.name, 'tokenize')
    const { tokens, assumptions } = await engine.tokenizer.countChat(request, signal)
    const notes = assumptions.length === 0 ? {} : { assumptions }
    return { kind: 'json', value: { object: 'response.input_tokens', input_tokens: tokens, ...notes } }
  },
})
