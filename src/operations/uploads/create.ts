import { fault } from '../../lib/faults.ts'
import { checkedName } from '../../platform/forms.ts'
import { operation } from '../../platform/operation.ts'
import { type UploadPurpose, uploadPurposes } from '../../wire/files.ts'
import { UploadObject, UploadRequest } from '../../wire/uploads.ts'
import { shownUpload } from './shown.ts'

/** As OpenAI has it. */
const livesMs = 3_600_000
const jsonLines =
  /^(?:(?:text|application)\/(?:x-)?(?:jsonl|jsonlines|ndjson|json)|text\/plain|application\/octet-stream)$/i
/** Which types fit a purpose; what is not here takes any. */
const fitting: Partial<Record<UploadPurpose, { pattern: RegExp; words: string }>> = {
  vision: { pattern: /^image\/[\w.+-]+$/i, words: 'an image, such as image/png' },
  'fine-tune': { pattern: jsonLines, words: 'text/jsonl' },
  batch: { pattern: jsonLines, words: 'text/jsonl' },
}

export const createUpload = operation<UploadRequest>({
  id: 'uploads.create',
  method: 'POST',
  path: '/v1/uploads',
  summary: 'Begins an upload in parts, for files that are large or come over bad lines.',
  body: UploadRequest,
  strict: true,
  reply: UploadObject,
  scope: 'api.files.write',
  bills: 'nothing',
  async run({ body }, { files, store, caller, ids, clock }) {
    const { purpose: asked, bytes, mime_type, expires_after: expiry } = body
    const purpose = uploadPurposes.find(known => known === asked)
    if (purpose === undefined) throw fault.purposeGone(asked)
    checkType(purpose, mime_type)
    const filename = checkedName(body.filename.split(/[/\\]/).at(-1) ?? '', 'filename')
    await files.room(caller, bytes)
    const now = clock.now()
    const row = {
      ...{ id: ids.make('upload'), organization_id: caller.organizationId, project_id: caller.projectId },
      ...{
        filename,
        purpose,
        bytes,
        mime_type,
        status: 'pending' as const,
        created_at: now,
        expires_at: now + livesMs,
      },
      ...{ file_seconds: expiry?.seconds ?? null, file_id: null },
    }
    await store.write(store.build.insertInto('uploads').values(row))
    return { kind: 'json', value: shownUpload(row, now) }
  },
})

/** @throws Fault 400 for a type that does not fit the purpose */
function checkType(purpose: UploadPurpose, mimeType: string): void {
  const [plain = ''] = mimeType.split(';', 1)
  const fits = fitting[purpose]
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(plain.trim()))
    throw fault.invalidValue('mime_type', `'${mimeType}' is no MIME type.`)
  if (fits !== undefined && !fits.pattern.test(plain.trim()))
    throw fault.invalidValue('mime_type', `The purpose '${purpose}' takes ${fits.words}, not '${mimeType}'.`)
}
