import { fault } from '../../lib/faults.ts'
import { demandPending, endUpload, findUpload, type PartRow, partsOf } from '../../platform/files/upload-rows.ts'
import { operation } from '../../platform/operation.ts'
import type { Blobs, Staged } from '../../store/blobs/blobs.ts'
import { StaleWrite } from '../../store/store.ts'
import type { UploadPurpose } from '../../wire/files.ts'
import { UploadCompletion, UploadObject } from '../../wire/uploads.ts'
import { shownFile } from '../files/rows.ts'
import { shownUpload } from './shown.ts'

export const completeUpload = operation<UploadCompletion, 'upload_id'>({
  id: 'uploads.complete',
  method: 'POST',
  path: '/v1/uploads/{upload_id}/complete',
  summary: 'Makes a file of the parts of an upload, in the order of `part_ids`.',
  body: UploadCompletion,
  strict: true,
  reply: UploadObject,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ params: { upload_id: id }, body }, { files, store, caller, ids, clock }) {
    const upload = await findUpload(store, caller, id)
    demandPending(upload, clock.now())
    const parts = await partsOf(store, caller, id)
    const { bytes } = upload
    const staged = await joined(files.blobs, chosen(parts, body.part_ids, bytes), { ...body, bytes })
    try {
      const now = clock.now()
      const fileId = ids.make('file')
      const { filename, file_seconds: seconds } = upload
      const purpose = upload.purpose as UploadPurpose // only these are ever written
      const end = endUpload(store, caller, id, { status: 'completed', file_id: fileId }, now)
      const made = await files
        .create(caller, staged, { id: fileId, filename, purpose, seconds }, end)
        .catch(async (error: unknown) => {
          if (!(error instanceof StaleWrite)) throw error
          demandPending(await findUpload(store, caller, id), now)
          await files.room(caller, bytes)
          throw fault.storeBusy(error) // there is room again
        })
      files.release(parts.map(part => part.blob_id))
      return { kind: 'json', value: shownUpload({ ...upload, status: 'completed' }, now, shownFile(made)) }
    } finally {
      await staged.discard()
    }
  },
})

/** The parts that make the file, in their order. @throws Fault 400 */
function chosen(parts: readonly PartRow[], asked: readonly string[], bytes: number): PartRow[] {
  const known = new Map(parts.map(part => [part.id, part]))
  const found = asked.map(id => {
    const part = known.get(id)
    if (part === undefined)
      throw fault.uploadConflict(`No such Part in this upload, or it is named twice: ${id}`, 'part_ids')
    known.delete(id)
    return part
  })
  const sum = found.reduce((total, part) => total + part.bytes, 0)
  if (sum !== bytes)
    throw fault.uploadConflict(
      `The parts come to ${sum} bytes, and the upload was created for ${bytes} bytes.`,
      'part_ids',
    )
  return found
}

/** @throws Fault 400 for another checksum */
async function joined(
  blobs: Blobs,
  parts: readonly PartRow[],
  { md5, bytes: bytesMax }: { md5?: string; bytes: number },
): Promise<Staged> {
  const tooLarge = () => fault.uploadConflict('The parts have more bytes than the upload was created for.')
  const staged = await blobs.stage(bytesOf(blobs, parts), { bytesMax, tooLarge, md5: md5 !== undefined })
  if (md5 === undefined || md5.toLowerCase() === staged.md5) return staged
  await staged.discard()
  throw fault.uploadConflict(`The MD5 checksum of the parts is ${staged.md5}, not ${md5}.`, 'md5')
}

async function* bytesOf(blobs: Blobs, parts: readonly PartRow[]): AsyncGenerator<Buffer> {
  for (const { blob_id: blobId } of parts) {
    const part = await blobs.read(blobId, { passing: true })
    if (part === undefined) throw fault.uploadConflict('The upload has ended while it was being completed.')
    yield* part.bytes
  }
}
