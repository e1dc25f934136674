import { operation } from '../../platform/operation.ts'
import { BatchList, BatchQuery } from '../../wire/batches.ts'
import { list } from '../../wire/lists.ts'
import { shownBatch } from './shown.ts'

export const listBatches = operation<unknown, never, BatchQuery>({
  id: 'batches.list',
  method: 'GET',
  path: '/v1/batches',
  summary: 'Lists the batches of the project, the newest first.',
  query: BatchQuery,
  reply: BatchList,
  scope: 'api.batch.read',
  bills: 'nothing',
  async run({ query }, { batches, caller }) {
    const { rows, hasMore } = await batches.list(caller, query)
    return { kind: 'json', value: list(rows.map(shownBatch), hasMore) }
  },
})
