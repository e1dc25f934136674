import { operation } from '../../platform/operation.ts'
import { EmbeddingList, EmbeddingRequest } from '../../wire/embeddings.ts'
import { embed } from '../generation.ts'
import { inputWorst } from '../worst.ts'

export const embedWithEngine = operation<EmbeddingRequest, 'model'>({
  id: 'engines.embeddings.create',
  method: 'POST',
  path: '/v1/engines/{model}/embeddings',
  summary: 'Turns texts into vectors with the model that the path names.',
  body: EmbeddingRequest,
  reply: EmbeddingList,
  scope: 'model.request',
  bills: 'tokens',
  repeats: true,
  worst: inputWorst,
  modelIn: 'path',
  run: ({ body }, context) => embed(body, context),
})
