import { administrationFaults } from './faults/administration.ts'
import { batchFaults } from './faults/batches.ts'
import { callerFaults } from './faults/caller.ts'
import type { Fault } from './faults/fault.ts'
import { fileFaults } from './faults/files.ts'
import { moneyFaults } from './faults/money.ts'
import { requestFaults } from './faults/request.ts'
import { servingFaults } from './faults/serving.ts'
import { upstreamFaults } from './faults/upstream.ts'

export { Fault } from './faults/fault.ts'

/**
 * The table of faults: every error a caller can meet, with its status, type, code and wording. Thrown anywhere, rendered once
 * (`http/errors.ts`), in OpenAI's form. The public message never holds internals: those go into `cause`, which only the log sees.
 */
export const fault = {
  ...requestFaults,
  ...administrationFaults,
  ...batchFaults,
  ...callerFaults,
  ...moneyFaults,
  ...servingFaults,
  ...upstreamFaults,
  ...fileFaults,
} satisfies Record<string, (...details: never[]) => Fault>
