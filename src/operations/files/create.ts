import { fault } from '../../lib/faults.ts'
import { operation } from '../../platform/operation.ts'
import { FileFields, FileObject, type UploadPurpose, uploadPurposes } from '../../wire/files.ts'
import { shownFile } from './rows.ts'

export const createFile = operation<FileFields>({
  id: 'files.create',
  method: 'POST',
  path: '/v1/files',
  summary: 'Uploads a file. Files for `fine-tune` and `batch` are checked line by line.',
  form: {
    file: 'file',
    room: async ({ caller, files }) => Math.min(files.fileBytesMax, await files.room(caller)),
  },
  body: FileFields,
  strict: true,
  reply: FileObject,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ body: { purpose, expires_after: expiry }, file }, { files, caller }) {
    const { filename, staged } = file!
    const made = await files.create(caller, staged, {
      filename,
      purpose: livingPurpose(purpose),
      seconds: expiry?.seconds,
    })
    return { kind: 'json', value: shownFile(made) }
  },
})

/** @throws Fault 400 for one that nothing is done with any more */
function livingPurpose(purpose: FileFields['purpose']): UploadPurpose {
  const found = uploadPurposes.find(known => known === purpose)
  if (found === undefined) throw fault.purposeGone(purpose)
  return found
}
