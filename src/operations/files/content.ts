import { operation } from '../../platform/operation.ts'
import { FileContent } from '../../wire/files.ts'
import { attachment } from './disposition.ts'

export const retrieveFileContent = operation<unknown, 'file_id'>({
  id: 'files.content',
  method: 'GET',
  path: '/v1/files/{file_id}/content',
  summary: 'The bytes of a file.',
  reply: FileContent,
  replyType: 'application/octet-stream',
  scope: 'api.files.read',
  bills: 'nothing',
  async run({ params }, { files, caller }) {
    const { file, bytes, close } = await files.open(caller, params.file_id, { passing: true })
    // Whatever it is, no browser shows it as a page of this server.
    const headers = [
      ...['content-disposition', attachment(file.filename)],
      ...['content-security-policy', 'sandbox'],
      ...['cache-control', 'private, no-store'],
    ]
    return { kind: 'content', type: 'application/octet-stream', sizeBytes: file.bytes, bytes, close, headers }
  },
})
