/** `GET /v1/models`, `GET /v1/models/{model}` and `DELETE /v1/models/{model}`. */
import { type Static, Type } from 'typebox'
import { unixTime } from './common.ts'

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
