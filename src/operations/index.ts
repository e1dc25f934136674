import type { Operation } from '../platform/operation.ts'
import { createChatCompletion } from './chat/create.ts'
import { createCompletion } from './completions/create.ts'
import { createEmbedding } from './embeddings/create.ts'
import { listModels } from './models/list.ts'
import { retrieveModel } from './models/retrieve.ts'

/** The table of contents of the product. */
export const operations: readonly Operation[] = [
  listModels,
  retrieveModel,
  createChatCompletion,
  createCompletion,
  createEmbedding,
]
