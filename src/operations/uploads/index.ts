import type { Operation } from '../../platform/operation.ts'
import { addUploadPart } from './add-part.ts'
import { cancelUpload } from './cancel.ts'
import { completeUpload } from './complete.ts'
import { createUpload } from './create.ts'

export const uploadOperations: readonly Operation[] = [createUpload, addUploadPart, completeUpload, cancelUpload]
