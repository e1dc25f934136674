import { operation } from '../../platform/operation.ts'
import { ModelEngine } from '../../wire/engines.ts'
import { toEngine } from './list.ts'

export const retrieveEngine = operation<unknown, 'model'>({
  id: 'engines.retrieve',
  method: 'GET',
  path: '/v1/engines/{model}',
  summary: 'Describes one model under its older name.',
  reply: ModelEngine,
  scope: 'model.read',
  bills: 'nothing',
  run: ({ params }, { models }) => ({
    kind: 'json',
    value: toEngine({ name: params.model, target: models.resolve(params.model) }),
  }),
})
