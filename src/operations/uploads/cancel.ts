import { demandPending, endUpload, findUpload, partsOf } from '../../platform/files/upload-rows.ts'
import { operation } from '../../platform/operation.ts'
import { StaleWrite } from '../../store/store.ts'
import { UploadObject } from '../../wire/uploads.ts'
import { shownUpload } from './shown.ts'

export const cancelUpload = operation<unknown, 'upload_id'>({
  id: 'uploads.cancel',
  method: 'POST',
  path: '/v1/uploads/{upload_id}/cancel',
  summary: 'Ends an upload; its parts are removed.',
  reply: UploadObject,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ params: { upload_id: id } }, { files, store, caller, clock }) {
    const now = clock.now()
    const upload = await findUpload(store, caller, id)
    demandPending(upload, now)
    const parts = await partsOf(store, caller, id)
    await store.write(endUpload(store, caller, id, { status: 'cancelled' }, now)).catch(async (error: unknown) => {
      if (error instanceof StaleWrite) demandPending(await findUpload(store, caller, id), now)
      throw error
    })
    files.release(parts.map(part => part.blob_id))
    return { kind: 'json', value: shownUpload({ ...upload, status: 'cancelled' }, now) }
  },
})
