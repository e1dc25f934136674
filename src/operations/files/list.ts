import { operation } from '../../platform/operation.ts'
import { FileList, FileQuery } from '../../wire/files.ts'
import { list } from '../../wire/lists.ts'
import { shownFile } from './rows.ts'

export const listFiles = operation<unknown, never, FileQuery>({
  id: 'files.list',
  method: 'GET',
  path: '/v1/files',
  summary: 'Lists the files of the project.',
  query: FileQuery,
  reply: FileList,
  scope: 'api.files.read',
  bills: 'nothing',
  async run({ query }, { files, caller }) {
    const { rows, hasMore } = await files.list(caller, query)
    return { kind: 'json', value: list(rows.map(shownFile), hasMore) }
  },
})
