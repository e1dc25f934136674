import { bad, Fault } from './fault.ts'

/** Batches. */
export const batchFaults = {
  batchEndpoint: (endpoint: string, known: readonly string[]) =>
    bad(
      `Invalid value: '${endpoint}'. Batches can be made for ${known.map(path => `'${path}'`).join(', ')}.`,
      'endpoint',
      'invalid_value',
    ),
  batchFilePurpose: (id: string, purpose: string) =>
    bad(
      `The file '${id}' was uploaded with the purpose '${purpose}'. A batch needs one with the purpose 'batch'.`,
      'input_file_id',
      'invalid_file_purpose',
    ),
  batchFileTooLarge: (sizeBytes: number, maxBytes: number) =>
    bad(
      `The input file holds ${sizeBytes} bytes: a batch may have at most ${maxBytes}. Split it into several batches.`,
      'input_file_id',
      'file_too_large',
    ),
  tooManyBatches: (most: number) =>
    new Fault({
      status: 429,
      type: 'requests',
      code: 'too_many_batches',
      message: `${most} batches of this project have not ended yet: as many as there may be. Wait for one to end, or cancel one.`,
      headers: { 'retry-after': '60', 'x-should-retry': 'false' },
    }),
  batchOver: (status: string) =>
    new Fault({ status: 409, code: 'batch_ended', message: `Cannot cancel a batch with status '${status}'.` }),
  batchOwnerGone: () =>
    new Fault({
      status: 401,
      code: 'invalid_api_key',
      message: 'The key that made the batch has ended, or who stands behind it is no longer in the project.',
    }),
}
