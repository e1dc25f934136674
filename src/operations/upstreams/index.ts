import type { Operation } from '../../platform/operation.ts'
import { listUpstreamModels } from './models.ts'
import { testUpstream } from './test.ts'
import { createUpstream, deleteUpstream, listUpstreams, retrieveUpstream, updateUpstream } from './upstreams.ts'

export const upstreamOperations: readonly Operation[] = [
  listUpstreams,
  createUpstream,
  retrieveUpstream,
  updateUpstream,
  deleteUpstream,
  testUpstream,
  listUpstreamModels,
]
