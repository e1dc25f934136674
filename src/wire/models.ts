/** `GET /v1/models`, `GET /v1/models/{model}` and `DELETE /v1/models/{model}`; and, which is ours, which models are in memory. */
import { type Static, Type } from 'typebox'
import { nullable, oneOf, unixTime } from './common.ts'

export const Model = Type.Object({
  id: Type.String({ description: 'The name to put into `model`.' }),
  object: Type.Literal('model'),
  created: unixTime('When the model was made known to this server.'),
  owned_by: Type.String({ description: 'Who the model comes from.' }),
})
export type Model = Static<typeof Model>

/** Not paged: the one list without `has_more`. */
export const ModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(Model) })
export type ModelList = Static<typeof ModelList>

export const ModelDeleted = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  deleted: Type.Literal(true),
})
export type ModelDeleted = Static<typeof ModelDeleted>

const sizeBytes = (description: string) => Type.Integer({ minimum: 0, description })

/** One model that runs on this machine. */
export const LoadedModel = Type.Object({
  id: Type.String({ description: 'The name of the model.' }),
  object: Type.Literal('parlance.loaded_model'),
  state: oneOf(
    ['idle', 'loading', 'ready', 'failed'],
    'idle: not loaded; its next request loads it, or waits for memory (`queued`). failed: it could not be loaded; a later request tries again.',
  ),
  size_bytes: sizeBytes('Memory that it takes now, pages shared with other processes included.'),
  estimated_bytes: nullable(Type.Integer({ minimum: 0 }), 'Memory that it was thought to take before it was loaded.'),
  loaded_at: nullable(unixTime('Since when it is loaded.')),
  last_used_at: nullable(unixTime('When a request last began or ended.')),
  expires_at: nullable(
    unixTime('When it is unloaded if no request comes.'),
    'null while it is busy or stays for ever.',
  ),
  running: Type.Integer({ minimum: 0, description: 'Requests that it works on.' }),
  queued: Type.Integer({ minimum: 0, description: 'Requests that wait until it is loaded.' }),
})
export type LoadedModel = Static<typeof LoadedModel>

/** Not paged: the models of this machine that were asked for since the start of the server. */
export const LoadedModelList = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(LoadedModel),
  memory_bytes: sizeBytes('What all loaded models may take together: the setting `model_memory_bytes`.'),
  used_bytes: sizeBytes('What they take now.'),
})
export type LoadedModelList = Static<typeof LoadedModelList>
