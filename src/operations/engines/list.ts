import type { Listed } from '../../platform/models.ts'
import { operation } from '../../platform/operation.ts'
import { type ModelEngine, ModelEngineList } from '../../wire/engines.ts'

export const listEngines = operation({
  id: 'engines.list',
  method: 'GET',
  path: '/v1/engines',
  summary: 'Lists the models under their older name.',
  reply: ModelEngineList,
  scope: 'model.read',
  bills: 'nothing',
  run: (_input, { models }) => ({ kind: 'json', value: { object: 'list', data: models.list().map(toEngine) } }),
})

/** `ready`: a model that is not loaded yet answers too, only later. */
export const toEngine = ({ name, target }: Listed): ModelEngine => ({
  id: name,
  object: 'engine',
  created: target.created,
  owner: target.ownedBy,
  ready: true,
})
