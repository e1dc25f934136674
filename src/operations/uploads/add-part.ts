import { fault } from '../../lib/faults.ts'
import { countParts, demandPending, findUpload, partInsertion } from '../../platform/files/upload-rows.ts'
import { operation } from '../../platform/operation.ts'
import { StaleWrite } from '../../store/store.ts'
import { PartFields, PartObject, partBytesMax, partsMax } from '../../wire/uploads.ts'

export const addUploadPart = operation<unknown, 'upload_id'>({
  id: 'uploads.parts.create',
  method: 'POST',
  path: '/v1/uploads/{upload_id}/parts',
  summary: 'Adds a part of at most 64 MiB. Parts may come in any order, and at the same time.',
  form: {
    file: 'data',
    room: async ({ caller, files }) => Math.min(partBytesMax, await files.room(caller)),
  },
  body: PartFields,
  strict: true,
  reply: PartObject,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ params: { upload_id: uploadId }, file }, { files, store, caller, ids, clock }) {
    const { staged } = file!
    demandPending(await findUpload(store, caller, uploadId), clock.now())
    if ((await countParts(store, caller, uploadId)) >= partsMax)
      throw fault.uploadConflict(`An upload has at most ${partsMax} parts.`)
    const id = ids.make('part')
    const now = clock.now()
    const kept = await files.keep(caller, staged)
    await store
      .write([kept, partInsertion(store, caller, { id, uploadId }, staged, now)])
      .catch(async (error: unknown) => {
        await files.unkept(staged, error)
        if (!(error instanceof StaleWrite)) throw error
        demandPending(await findUpload(store, caller, uploadId), clock.now())
        await files.room(caller, staged.sizeBytes)
        throw fault.storeBusy(error) // there is room again
      })
    const part: PartObject = { id, object: 'upload.part', created_at: Math.floor(now / 1000), upload_id: uploadId }
    return { kind: 'json', value: part }
  },
})
