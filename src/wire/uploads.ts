/** Uploads: files that come in parts. */
import Type, { type Static } from 'typebox'
import { oneOf, unixTime } from './common.ts'
import { FileExpiry, FileObject, gonePurposes, uploadPurposes } from './files.ts'

/** OpenAI's bounds of an upload and of a part. */
export const uploadBytesMax = 8_589_934_592
export const partBytesMax = 67_108_864
/** More than the smallest sensible parts of the largest upload. */
export const partsMax = 10_000

export const UploadRequest = Type.Object({
  filename: Type.String({ minLength: 1, maxLength: 1024, description: 'The name of the file.' }),
  purpose: oneOf([...uploadPurposes, ...gonePurposes], `What the file is for: ${uploadPurposes.join(', ')}.`),
  bytes: Type.Integer({ minimum: 1, maximum: uploadBytesMax, description: 'The size of the whole file.' }),
  mime_type: Type.String({
    minLength: 3,
    maxLength: 255,
    description:
      'The type of the file, such as `text/jsonl`. It must fit the purpose: images for `vision`, JSON lines for `fine-tune` and `batch`.',
  }),
  expires_after: Type.Optional(FileExpiry),
})
export type UploadRequest = Static<typeof UploadRequest>

export const UploadObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('upload'),
  bytes: Type.Integer({ minimum: 0, description: 'The size that the file is to have.' }),
  created_at: unixTime('When it was begun.'),
  expires_at: unixTime('Until when it can be completed: an hour.'),
  filename: Type.String(),
  purpose: oneOf([...uploadPurposes]),
  status: oneOf(['pending', 'completed', 'cancelled', 'expired']),
  file: Type.Optional(FileObject),
})
export type UploadObject = Static<typeof UploadObject>

export const PartObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('upload.part'),
  created_at: unixTime('When it was added.'),
  upload_id: Type.String(),
})
export type PartObject = Static<typeof PartObject>

/** Nothing but the data goes into the form of a part. */
export const PartFields = Type.Object({})

export const UploadCompletion = Type.Object({
  part_ids: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    minItems: 1,
    maxItems: partsMax,
    description: 'The parts in the order in which they make the file.',
  }),
  md5: Type.Optional(
    Type.String({ minLength: 32, maxLength: 32, description: 'MD5 of the whole file in hexadecimal digits.' }),
  ),
})
export type UploadCompletion = Static<typeof UploadCompletion>
