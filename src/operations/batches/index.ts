import type { Operation } from '../../platform/operation.ts'
import { cancelBatch } from './cancel.ts'
import { createBatch } from './create.ts'
import { listBatches } from './list.ts'
import { retrieveBatch } from './retrieve.ts'

export const batchOperations: readonly Operation[] = [createBatch, listBatches, retrieveBatch, cancelBatch]
