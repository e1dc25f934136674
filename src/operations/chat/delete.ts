import { operation } from '../../platform/operation.ts'
import { StoredCompletionDeleted } from '../../wire/stored.ts'
import { removeCompletion } from './rows.ts'

export const deleteChatCompletion = operation<unknown, 'completion_id'>({
  id: 'chat.completions.delete',
  method: 'DELETE',
  path: '/v1/chat/completions/{completion_id}',
  summary: 'Deletes a stored completion and its messages.',
  reply: StoredCompletionDeleted,
  scope: 'completion.write',
  bills: 'nothing',
  async run({ params: { completion_id: id } }, { store, caller }) {
    await removeCompletion(store, caller, id)
    return {
      kind: 'json',
      value: { id, object: 'chat.completion.deleted', deleted: true } satisfies StoredCompletionDeleted,
    }
  },
})
