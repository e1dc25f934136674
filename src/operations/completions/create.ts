import { operation } from '../../platform/operation.ts'
import { Completion, CompletionChunk, CompletionRequest } from '../../wire/completions.ts'
import { complete } from '../generation.ts'
import { completionWorst, limitedCompletion } from '../worst.ts'

export const createCompletion = operation<CompletionRequest>({
  id: 'completions.create',
  method: 'POST',
  path: '/v1/completions',
  summary: 'Continues a text, whole or as a stream of chunks.',
  body: CompletionRequest,
  reply: Completion,
  event: CompletionChunk,
  scope: 'model.request',
  bills: 'tokens',
  batch: true,
  repeats: true,
  worst: completionWorst,
  run: ({ body }, context) => complete(limitedCompletion(body, context), context),
})
