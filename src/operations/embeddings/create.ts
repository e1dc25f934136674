import { operation } from '../../platform/operation.ts'
import { EmbeddingList, EmbeddingRequest } from '../../wire/embeddings.ts'
import { embed } from '../generation.ts'
import { inputWorst } from '../worst.ts'

export const createEmbedding = operation<EmbeddingRequest>({
  id: 'embeddings.create',
  method: 'POST',
  path: '/v1/embeddings',
  summary: 'Turns texts into vectors.',
  body: EmbeddingRequest,
  reply: EmbeddingList,
  scope: 'model.request',
  bills: 'tokens',
  batch: true,
  repeats: true,
  worst: inputWorst,
  run: ({ body }, context) => embed(body, context),
})
