import { operation } from '../../platform/operation.ts'
import { LoadedModel } from '../../wire/models.ts'
import { toLoadedModel } from './loaded.ts'

export const unloadModel = operation<unknown, 'model'>({
  id: 'parlance.models.unload',
  method: 'POST',
  path: '/v1/parlance/models/{model}/unload',
  summary: 'Gives back the memory of a model of this machine; its next request loads it again. 409 while it is busy.',
  reply: LoadedModel,
  scope: 'model.write',
  bills: 'nothing',
  run: async ({ params }, { models }) => ({ kind: 'json', value: toLoadedModel(await models.unload(params.model)) }),
})
