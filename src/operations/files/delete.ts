import { operation } from '../../platform/operation.ts'
import { FileDeleted } from '../../wire/files.ts'

export const deleteFile = operation<unknown, 'file_id'>({
  id: 'files.delete',
  method: 'DELETE',
  path: '/v1/files/{file_id}',
  summary: 'Deletes a file.',
  reply: FileDeleted,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ params: { file_id: id } }, { files, caller }) {
    await files.remove(caller, id)
    return { kind: 'json', value: { id, object: 'file', deleted: true } satisfies FileDeleted }
  },
})
