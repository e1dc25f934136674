import { operation } from '../../platform/operation.ts'
import { StoredCompletion, StoredCompletionUpdate } from '../../wire/stored.ts'
import { relabelCompletion } from './rows.ts'

export const updateChatCompletion = operation<StoredCompletionUpdate, 'completion_id'>({
  id: 'chat.completions.update',
  method: 'POST',
  path: '/v1/chat/completions/{completion_id}',
  summary: 'Replaces the metadata of a stored completion.',
  body: StoredCompletionUpdate,
  strict: true,
  reply: StoredCompletion,
  scope: 'completion.write',
  bills: 'nothing',
  async run({ body, params }, { store, caller }) {
    const value = await relabelCompletion(store, caller, params.completion_id, body.metadata ?? {})
    return { kind: 'json', value }
  },
})
