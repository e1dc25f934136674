import { operation } from '../../platform/operation.ts'
import { StoredCompletion } from '../../wire/stored.ts'
import { findCompletion } from './rows.ts'

export const retrieveChatCompletion = operation<unknown, 'completion_id'>({
  id: 'chat.completions.retrieve',
  method: 'GET',
  path: '/v1/chat/completions/{completion_id}',
  summary: 'Shows a stored completion.',
  reply: StoredCompletion,
  scope: 'completion.read',
  bills: 'nothing',
  async run({ params }, { store, caller }) {
    return { kind: 'json', value: await findCompletion(store, caller, params.completion_id) }
  },
})
