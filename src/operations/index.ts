import type { Operation } from '../platform/operation.ts'
import { createChatCompletion } from './chat/create.ts'
import { createCompletion } from './completions/create.ts'
import { createEdit } from './edits/create.ts'
import { createEmbedding } from './embeddings/create.ts'
import { completeWithEngine } from './engines/complete.ts'
import { embedWithEngine } from './engines/embed.ts'
import { listEngines } from './engines/list.ts'
import { retrieveEngine } from './engines/retrieve.ts'
import { deleteModel } from './models/delete.ts'
import { listModels } from './models/list.ts'
import { retrieveModel } from './models/retrieve.ts'
import { createReranking } from './rerank/create.ts'
import { countInputTokens } from './responses/count-input-tokens.ts'
import { detokenize } from './tokens/detokenize.ts'
import { tokenize } from './tokens/tokenize.ts'

/** The table of contents of the product. */
export const operations: readonly Operation[] = [
  listModels,
  retrieveModel,
  deleteModel,
  createChatCompletion,
  createCompletion,
  createEdit,
  createEmbedding,
  createReranking,
  countInputTokens,
  tokenize,
  detokenize,
  listEngines,
  retrieveEngine,
  completeWithEngine,
  embedWithEngine,
]
