import { operation } from '../../platform/operation.ts'
import { Completion, CompletionChunk, CompletionRequest } from '../../wire/completions.ts'
import { complete } from '../generation.ts'
import { completionWorst, limitedCompletion } from '../worst.ts'

export const completeWithEngine = operation<CompletionRequest, 'model'>({
  id: 'engines.completions.create',
  method: 'POST',
  path: '/v1/engines/{model}/completions',
  summary: 'Continues a text with the model that the path names.',
  body: CompletionRequest,
  reply: Completion,
  event: CompletionChunk,
  scope: 'model.request',
  bills: 'tokens',
  repeats: true,
  worst: completionWorst,
  modelIn: 'path',
  run: ({ body }, context) => complete(limitedCompletion(body, context), context),
})
