import { fault } from '../../lib/faults.ts'
import type { Batches } from './types.ts'

/** Nobody has any batches, and nobody can make one. For tests of other things. */
export const noBatches = (): Batches => ({
  create: async () => {
    throw fault.batchEndpoint('', [])
  },
  find: async (_, id) => {
    throw fault.objectNotFound('batch', id)
  },
  list: async () => ({ rows: [], hasMore: false }),
  cancel: async (_, id) => {
    throw fault.objectNotFound('batch', id)
  },
  noticed: () => {},
  handlers: [],
})
