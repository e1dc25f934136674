import { operation } from '../../platform/operation.ts'
import { list } from '../../wire/lists.ts'
import { StoredCompletionList, StoredCompletionQuery } from '../../wire/stored.ts'
import { listCompletions } from './rows.ts'

export const listChatCompletions = operation<unknown, never, StoredCompletionQuery>({
  id: 'chat.completions.list',
  method: 'GET',
  path: '/v1/chat/completions',
  summary: 'Lists the stored completions of the project. A page of large ones may hold fewer than `limit`.',
  query: StoredCompletionQuery,
  reply: StoredCompletionList,
  scope: 'completion.read',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    const { data, hasMore } = await listCompletions(store, caller, query)
    return { kind: 'json', value: list(data, hasMore) }
  },
})
