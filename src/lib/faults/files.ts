import { inWords } from '../bytes.ts'
import { bad, Fault } from './fault.ts'

/** Files, and the forms in which they come. */
export const fileFaults = {
  /** The words of OpenAI's servers; the same for a file that is missing and one of somebody else. */
  fileNotFound: (id: string) => new Fault({ status: 404, message: `No such File object: ${id}`, param: 'id' }),
  fileTooLarge: (param: string, maxBytes: number) =>
    new Fault({
      status: 413,
      param,
      code: 'file_too_large',
      message: `The file is too large: at most ${inWords(maxBytes)} (${maxBytes} bytes) are accepted.`,
    }),
  storageQuotaExceeded: (quotaBytes: number, leftBytes: number) =>
    bad(
      `The storage quota of this project is exceeded: its files may take ${inWords(quotaBytes)}, and ${inWords(leftBytes)} are left. Delete files, or ask for more.`,
      null,
      'storage_quota_exceeded',
    ),
  purposeGone: (purpose: string) =>
    bad(
      `The purpose '${purpose}' belonged to endpoints that OpenAI has switched off: searches, answers and classifications over files do not exist any more, here neither. Use embeddings instead, or the purpose 'assistants' for files that an assistant searches.`,
      'purpose',
      'purpose_not_supported',
    ),
  /** A line of a JSONL file. */
  invalidJsonl: (line: number, reason: string) =>
    bad(
      `Expected file to have JSONL format, where every line is a valid JSON dictionary. Line ${line}: ${reason}`,
      'file',
      'invalid_jsonl',
    ),
  /** The bytes are not what the row says, or not there. */
  fileDamaged: (id: string) =>
    new Fault({
      status: 500,
      type: 'server_error',
      code: 'file_damaged',
      message: `The content of the file '${id}' is damaged on the server. Upload it again.`,
      headers: { 'x-should-retry': 'false' },
    }),
  /** It is not pending any more, or its parts do not come to what it was made for. */
  uploadConflict: (message: string, param: string | null = null) => bad(message, param, 'invalid_upload'),

  // The form
  bodyStalled: (silentMs: number) =>
    new Fault({
      status: 408,
      code: 'request_timeout',
      message: `Nothing of the request body came for ${Math.round(silentMs / 1000)} s.`,
    }),
  formExpected: (type: string) =>
    new Fault({
      status: 415,
      code: 'unsupported_media_type',
      message: `Unsupported content type '${type}'. Send 'multipart/form-data'.`,
    }),
  invalidForm: (reason: string, cause?: unknown) =>
    bad(`The multipart/form-data body could not be understood: ${reason}.`, null, 'invalid_multipart', cause),
} satisfies Record<string, (...details: never[]) => Fault>
