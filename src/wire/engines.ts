/** `GET /v1/engines` and `GET /v1/engines/{engine_id}`: what models were called before 2022. */
import { type Static, Type } from 'typebox'
import { unixTime } from './common.ts'

export const ModelEngine = Type.Object({
  id: Type.String({ description: 'The name to put into the path or into `model`.' }),
  object: Type.Literal('engine'),
  created: unixTime('When the model was made known to this server.'),
  owner: Type.String({ description: 'Who the model comes from.' }),
  ready: Type.Literal(true),
})
export type ModelEngine = Static<typeof ModelEngine>

export const ModelEngineList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelEngine) })
