import type { Listed } from '../../platform/models.ts'
import { operation } from '../../platform/operation.ts'
import { type Model, ModelList } from '../../wire/models.ts'

export const listModels = operation({
  id: 'models.list',
  method: 'GET',
  path: '/v1/models',
  summary: 'Lists the models that this key can use, aliases included.',
  reply: ModelList,
  scope: 'model.read',
  bills: 'nothing',
  run: (_input, { models }) => ({ kind: 'json', value: { object: 'list', data: models.list().map(toModel) } }),
})

export const toModel = ({ name, target }: Listed): Model => ({
  id: name,
  object: 'model',
  created: target.created,
  owned_by: target.ownedBy,
})
