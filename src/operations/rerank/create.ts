import { fault } from '../../lib/faults.ts'
import { operation } from '../../platform/operation.ts'
import { unknownFields } from '../../wire/check.ts'
import { Reranking, RerankRequest } from '../../wire/rerank.ts'
import { callOf } from '../generation.ts'
import { inputWorst } from '../worst.ts'

export const createReranking = operation<RerankRequest>({
  id: 'rerank.create',
  method: 'POST',
  path: '/v1/rerank',
  summary: 'Orders documents by how well they answer a query.',
  body: RerankRequest,
  reply: Reranking,
  scope: 'model.request',
  bills: 'tokens',
  worst: inputWorst,
  async run({ body }, context) {
    const [unknown] = unknownFields(RerankRequest, body)
    if (unknown !== undefined) throw fault.unknownParameter(unknown.slice(0, 64))
    const engine = context.models.engineFor(context.target, 'rerank')
    return { kind: 'json', value: await engine.rerank!(body, callOf(context, 'request')) }
  },
})
