/** Files as clients see them. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from './common.ts'
import { ListAfter, ListLimit, ListOrder, listOf } from './lists.ts'

/** What a file may be uploaded for. */
export const uploadPurposes = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const
/** What files are for that the server makes. */
export const madePurposes = ['assistants_output', 'batch_output', 'fine-tune-results'] as const
/** Of endpoints that are gone. */
export const gonePurposes = ['search', 'answers', 'classifications'] as const
export type UploadPurpose = (typeof uploadPurposes)[number]
export type FilePurpose = UploadPurpose | (typeof madePurposes)[number]

const Purpose = oneOf([...uploadPurposes, ...madePurposes], 'What the file is for.')

export const FileExpiry = Type.Object(
  {
    anchor: Type.Literal('created_at', { description: 'From when on the seconds count.' }),
    seconds: Type.Integer({ minimum: 3600, maximum: 2_592_000, description: 'An hour to 30 days.' }),
  },
  { description: 'When the file expires. Default: files for `batch` after 30 days, all others never.' },
)
export type FileExpiry = Static<typeof FileExpiry>

/** What goes with the file in a form. Purposes of old times are understood to be refused in words. */
export const FileFields = Type.Object({
  purpose: oneOf([...uploadPurposes, ...gonePurposes], `What the file is for: ${uploadPurposes.join(', ')}.`),
  expires_after: Type.Optional(FileExpiry),
})
export type FileFields = Static<typeof FileFields>

export const FileObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('file'),
  bytes: Type.Integer({ minimum: 0, description: 'Its size.' }),
  created_at: unixTime('When it was uploaded.'),
  expires_at: Type.Optional(unixTime('When it expires; absent where it does not.')),
  filename: Type.String(),
  purpose: Purpose,
  status: oneOf(['uploaded', 'processed', 'error'], 'For clients of old times: a file that is there is `processed`.'),
  status_details: nullable(Type.String(), 'For clients of old times.'),
})
export type FileObject = Static<typeof FileObject>
export const FileList = listOf(FileObject)

export const FileQuery = Type.Object({
  purpose: Type.Optional(Purpose),
  after: ListAfter,
  limit: ListLimit(10_000, 10_000),
  order: ListOrder('desc'),
})
export type FileQuery = Static<typeof FileQuery>

export const FileDeleted = Type.Object({
  id: Type.String(),
  object: Type.Literal('file'),
  deleted: Type.Boolean(),
})
export type FileDeleted = Static<typeof FileDeleted>

/** Documents a reply that is the bytes of a file. */
export const FileContent = Type.String({ description: 'The bytes of the file.' })
