import { eachPiece } from '../../engines/tokenizer.ts'
import { fault } from '../../lib/faults.ts'
import { slicedJson } from '../../lib/sliced-json.ts'
import { operation } from '../../platform/operation.ts'
import { unknownFields } from '../../wire/check.ts'
import { Tokenized, TokenizeRequest } from '../../wire/tokens.ts'
import { assumed, countingFor, refuseUnknown } from './counting.ts'

export const tokenize = operation<TokenizeRequest>({
  id: 'tokens.tokenize',
  method: 'POST',
  path: '/v1/tokenize',
  summary: 'Cuts a text into the tokens of a model or an encoding, and counts them.',
  body: TokenizeRequest,
  reply: Tokenized,
  scope: 'model.request',
  bills: 'nothing',
  async run({ body }, { models, signal }) {
    refuseUnknown(unknownFields(TokenizeRequest, body))
    const { tokenizer, names } = countingFor(body, models)
    const { ids, assumptions } = tokenizer
    const head = { object: 'tokenization', ...names }
    if (ids === undefined) {
      if (body.pieces === true || body.special === true) throw fault.wrongAbility(tokenizer.name, 'tokenize')
      const count = await tokenizer.count(body.input, signal)
      return { kind: 'json', value: { ...head, count, ...assumed(assumptions), tokens: null } }
    }
    const tokens = await ids.encode(body.input, body.special ?? false, signal)
    const pieces = body.pieces === true ? { pieces: eachPiece(await ids.pieces(tokens, signal)) } : {}
    const reply = { ...head, count: tokens.length, ...assumed(assumptions), tokens, ...pieces }
    return { kind: 'bytes', bytes: await slicedJson(reply, signal) }
  },
})
