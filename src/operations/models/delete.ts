import { operation } from '../../platform/operation.ts'
import { ModelDeleted } from '../../wire/models.ts'

export const deleteModel = operation<unknown, 'model'>({
  id: 'models.delete',
  method: 'DELETE',
  path: '/v1/models/{model}',
  summary: 'Deletes a model of the data folder, and ends the requests that run on it.',
  reply: ModelDeleted,
  scope: 'model.write',
  bills: 'nothing',
  async run({ params }, { models }) {
    await models.remove(params.model)
    return { kind: 'json', value: { id: params.model, object: 'model', deleted: true } satisfies ModelDeleted }
  },
})
