import type { Operation } from '../../platform/operation.ts'
import { retrieveFileContent } from './content.ts'
import { createFile } from './create.ts'
import { deleteFile } from './delete.ts'
import { listFiles } from './list.ts'
import { retrieveFile } from './retrieve.ts'

export const fileOperations: readonly Operation[] = [
  createFile,
  listFiles,
  retrieveFile,
  retrieveFileContent,
  deleteFile,
]
