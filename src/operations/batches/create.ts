import { operation } from '../../platform/operation.ts'
import { Batch, BatchRequest } from '../../wire/batches.ts'
import { shownBatch } from './shown.ts'

export const createBatch = operation<BatchRequest>({
  id: 'batches.create',
  method: 'POST',
  path: '/v1/batches',
  summary: 'Works off a file of requests within a day, at a lower price.',
  body: BatchRequest,
  strict: true,
  reply: Batch,
  scope: 'api.batch.write',
  bills: 'nothing',
  async run({ body }, { batches, caller }) {
    const made = await batches.create(caller, {
      inputFileId: body.input_file_id,
      endpoint: body.endpoint,
      metadata: body.metadata ?? null,
      outputSeconds: body.output_expires_after?.seconds ?? null,
    })
    return { kind: 'json', value: shownBatch(made) }
  },
})
