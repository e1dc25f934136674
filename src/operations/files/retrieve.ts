import { operation } from '../../platform/operation.ts'
import { FileObject } from '../../wire/files.ts'
import { shownFile } from './rows.ts'

export const retrieveFile = operation<unknown, 'file_id'>({
  id: 'files.retrieve',
  method: 'GET',
  path: '/v1/files/{file_id}',
  summary: 'Shows a file.',
  reply: FileObject,
  scope: 'api.files.read',
  bills: 'nothing',
  async run({ params }, { files, caller }) {
    return { kind: 'json', value: shownFile(await files.find(caller, params.file_id)) }
  },
})
