import { operation } from '../../platform/operation.ts'
import { Model } from '../../wire/models.ts'
import { toModel } from './list.ts'

export const retrieveModel = operation<unknown, 'model'>({
  id: 'models.retrieve',
  method: 'GET',
  path: '/v1/models/{model}',
  summary: 'Describes one model.',
  reply: Model,
  scope: 'model.read',
  bills: 'nothing',
  run: ({ params }, { models }) => ({
    kind: 'json',
    value: toModel({ name: params.model, target: models.resolve(params.model) }),
  }),
})
