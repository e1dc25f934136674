import type { TSchema } from 'typebox'
import { fault } from '../lib/faults.ts'
import type { Staged } from '../store/blobs/blobs.ts'
import { authorize, type Caller } from './access.ts'
import type { Files } from './files/types.ts'
import type { FormOperation } from './operation.ts'

/** The form that an operation takes in place of a JSON body. Its fields beside the file are the operation's `body`. */
export interface Form {
  /** The name of the field with the file. */
  readonly file: string
  /** How many bytes the file may have now. @throws Fault when it need not be sent at all */
  room(asked: { caller: Caller; params: Readonly<Record<string, string>>; files: Files }): Promise<number>
}

/** A form on its way in; a door makes one of what it gets. */
export interface FormSource {
  /**
   * Reads the form to its end. The file may come before the fields or after them, so it is handed over as it comes.
   * @returns the fields, in the types that their schema has for them as far as the texts allow
   * @throws Fault for a form that cannot be understood, and what `take` throws; nothing is read any more then
   */
  read(
    form: { file: string; fields: TSchema; bytesMax: number },
    take: (file: IncomingFile) => Promise<void>,
  ): Promise<Record<string, unknown>>
}

export interface IncomingFile {
  /** Without folders. */
  readonly filename: string | undefined
  /** To be read once. A piece is good until the next one is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/** A form whose file is on the disk, and not yet kept. */
export interface TakenForm {
  readonly fields: Record<string, unknown>
  readonly file: TakenFile
  /** Forgets the file, unless the operation has kept it. */
  discard(): Promise<void>
}

export interface TakenFile {
  readonly filename: string
  readonly staged: Staged
}

/** What Python's client calls bytes without a name. */
const usualName = 'upload'
const nameLengthMax = 1024

/**
 * Reads a form for an operation, before `execute`: who may not do it need not send it.
 * @throws Fault
 */
export async function takeForm(
  { form, scope, body: fields = {} }: FormOperation,
  source: FormSource,
  asked: { caller: Caller; params: Readonly<Record<string, string>> },
  { files }: { files: Files },
): Promise<TakenForm> {
  authorize(asked.caller, scope)
  const bytesMax = await form.room({ ...asked, files })
  let file: TakenFile | undefined
  const discard = async () => {
    await file?.staged.discard()
  }
  try {
    const read = await source.read({ file: form.file, fields, bytesMax }, async ({ filename = usualName, bytes }) => {
      const name = checkedName(filename)
      const tooLarge = () => fault.fileTooLarge(form.file, bytesMax)
      file = { filename: name, staged: await files.blobs.stage(bytes, { bytesMax, tooLarge }) }
    })
    if (file === undefined) throw fault.missingParameter(form.file)
    return { fields: read, file, discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** Any text is a name, but for what no database and no header can hold. */
export function checkedName(filename: string, param = 'file'): string {
  if (/\p{Cc}/u.test(filename) || !filename.isWellFormed())
    throw fault.invalidValue(param, 'The name of the file holds control characters.')
  if (filename === '' || filename.length > nameLengthMax)
    throw fault.invalidValue(param, `The name of the file must have 1 to ${nameLengthMax} characters.`)
  return filename
}
