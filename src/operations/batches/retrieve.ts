import { operation } from '../../platform/operation.ts'
import { Batch } from '../../wire/batches.ts'
import { shownBatch } from './shown.ts'

export const retrieveBatch = operation<unknown, 'batch_id'>({
  id: 'batches.retrieve',
  method: 'GET',
  path: '/v1/batches/{batch_id}',
  summary: 'Tells how far a batch is.',
  reply: Batch,
  scope: 'api.batch.read',
  bills: 'nothing',
  async run({ params }, { batches, caller }) {
    return { kind: 'json', value: shownBatch(await batches.find(caller, params.batch_id)) }
  },
})
