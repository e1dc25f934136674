import type { Operation } from '../platform/operation.ts'
import { batchOperations } from './batches/index.ts'
import { billingOperations } from './billing/index.ts'
import { createChatCompletion } from './chat/create.ts'
import { deleteChatCompletion } from './chat/delete.ts'
import { listChatCompletions } from './chat/list.ts'
import { listChatCompletionMessages } from './chat/list-messages.ts'
import { retrieveChatCompletion } from './chat/retrieve.ts'
import { updateChatCompletion } from './chat/update.ts'
import { createCompletion } from './completions/create.ts'
import { createEdit } from './edits/create.ts'
import { createEmbedding } from './embeddings/create.ts'
import { completeWithEngine } from './engines/complete.ts'
import { embedWithEngine } from './engines/embed.ts'
import { listEngines } from './engines/list.ts'
import { retrieveEngine } from './engines/retrieve.ts'
import { fileOperations } from './files/index.ts'
import { deleteModel } from './models/delete.ts'
import { listModels } from './models/list.ts'
import { loadModel } from './models/load.ts'
import { listLoadedModels } from './models/loaded.ts'
import { retrieveModel } from './models/retrieve.ts'
import { unloadModel } from './models/unload.ts'
import { operatorOperations } from './operator/index.ts'
import { organizationOperations } from './organization/index.ts'
import { createReranking } from './rerank/create.ts'
import { countInputTokens } from './responses/count-input-tokens.ts'
import { routeOperations } from './routes/index.ts'
import { sessionOperations } from './sessions/index.ts'
import { detokenize } from './tokens/detokenize.ts'
import { tokenize } from './tokens/tokenize.ts'
import { uploadOperations } from './uploads/index.ts'
import { upstreamOperations } from './upstreams/index.ts'

/** The table of contents of the product. */
export const operations: readonly Operation[] = [
  listModels,
  retrieveModel,
  deleteModel,
  createChatCompletion,
  listChatCompletions,
  retrieveChatCompletion,
  updateChatCompletion,
  deleteChatCompletion,
  listChatCompletionMessages,
  createCompletion,
  createEdit,
  createEmbedding,
  createReranking,
  countInputTokens,
  ...fileOperations,
  ...batchOperations,
  ...uploadOperations,
  tokenize,
  detokenize,
  listEngines,
  retrieveEngine,
  completeWithEngine,
  embedWithEngine,
  listLoadedModels,
  loadModel,
  unloadModel,
  ...sessionOperations,
  ...organizationOperations,
  ...billingOperations,
  ...operatorOperations,
  ...upstreamOperations,
  ...routeOperations,
]
