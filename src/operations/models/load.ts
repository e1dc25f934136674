import { operation } from '../../platform/operation.ts'
import { LoadedModel } from '../../wire/models.ts'
import { toLoadedModel } from './loaded.ts'

export const loadModel = operation<unknown, 'model'>({
  id: 'parlance.models.load',
  method: 'POST',
  path: '/v1/parlance/models/{model}/load',
  summary: 'Loads a model of this machine before its first request does. Waits for memory like a request.',
  reply: LoadedModel,
  scope: 'model.write',
  bills: 'nothing',
  run: async ({ params }, { models, signal }) => ({
    kind: 'json',
    value: toLoadedModel(await models.load(params.model, signal)),
  }),
})
