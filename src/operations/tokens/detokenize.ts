import { fault } from '../../lib/faults.ts'
import { slicedJson } from '../../lib/sliced-json.ts'
import { operation } from '../../platform/operation.ts'
import { unknownFields } from '../../wire/check.ts'
import { Detokenized, DetokenizeRequest } from '../../wire/tokens.ts'
import { assumed, countingFor, refuseUnknown } from './counting.ts'

export const detokenize = operation<DetokenizeRequest>({
  id: 'tokens.detokenize',
  method: 'POST',
  path: '/v1/detokenize',
  summary: 'Makes a text of tokens again.',
  body: DetokenizeRequest,
  reply: Detokenized,
  scope: 'model.request',
  bills: 'nothing',
  async run({ body }, { models, signal }) {
    refuseUnknown(unknownFields(DetokenizeRequest, body))
    const { tokenizer, names } = countingFor(body, models)
    if (tokenizer.ids === undefined) throw fault.wrongAbility(tokenizer.name, 'detokenize')
    const text = await tokenizer.ids.decode(Uint32Array.from(body.tokens), signal)
    const reply = {
      object: 'detokenization',
      ...names,
      count: body.tokens.length,
      ...assumed(tokenizer.assumptions),
      text,
    }
    return { kind: 'bytes', bytes: await slicedJson(reply, signal) }
  },
})
