import { operation } from '../../platform/operation.ts'
import { Batch } from '../../wire/batches.ts'
import { shownBatch } from './shown.ts'

export const cancelBatch = operation<unknown, 'batch_id'>({
  id: 'batches.cancel',
  method: 'POST',
  path: '/v1/batches/{batch_id}/cancel',
  summary: 'Ends a batch. What was answered until then is in its files.',
  reply: Batch,
  scope: 'api.batch.write',
  bills: 'nothing',
  async run({ params }, { batches, caller }) {
    return { kind: 'json', value: shownBatch(await batches.cancel(caller, params.batch_id)) }
  },
})
