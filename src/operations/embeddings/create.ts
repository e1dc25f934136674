import { operation } from '../../platform/operation.ts'
import { EmbeddingList, EmbeddingRequest } from '../../wire/embeddings.ts'
import { refuseUnsupported } from '../../wire/parameters.ts'
import { callOf } from '../generation.ts'

export const createEmbedding = operation<EmbeddingRequest>({
  id: 'embeddings.create',
  method: 'POST',
  path: '/v1/embeddings',
  summary: 'Turns texts into vectors.',
  body: EmbeddingRequest,
  reply: EmbeddingList,
  scope: 'model.request',
  bills: 'tokens',
  async run({ body }, context) {
    const engine = context.models.engineFor(context.target, 'embed')
    if (engine.accepts === 'known') refuseUnsupported('embeddings', body, context.target.name)
    const call = callOf(context, 'request')
    if (engine.relay !== undefined && context.wants === 'bytes') {
      const relayed = await engine.relay('/embeddings', body, call)
      if (relayed.kind === 'json') return { kind: 'bytes', bytes: relayed.bytes }
      return { kind: 'relay', pipe: relayed.pipe }
    }
    return { kind: 'json', value: await engine.embed!(body, call) }
  },
})
