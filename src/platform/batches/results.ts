import { inWords } from '../../lib/bytes.ts'
import { type Fault, fault } from '../../lib/faults.ts'
import type { Ids } from '../../lib/ids.ts'
import { StaleWrite, type Store } from '../../store/store.ts'
import type { Files } from '../files/index.ts'
import type { JobRun } from '../jobs/handler.ts'
import type { Journal } from './journal.ts'
import { updating } from './rows.ts'
import type { BatchRow } from './types.ts'

/** Of one file of results. */
const resultBytesMax = 17_179_869_184

/**
 * Makes the files of a batch from its journal: one for replies and one for errors, each only where there are any. What an earlier
 * attempt has made stays: a file and its name in the batch are written in one step.
 * @throws Fault 507, and what `Files.create` throws
 */
export async function makeResults(
  batch: BatchRow,
  journal: Journal,
  run: JobRun,
  { files, store, ids }: { files: Files; store: Store; ids: Ids },
): Promise<void> {
  const owner = { organizationId: batch.organization_id, projectId: batch.project_id }
  const make = async (column: 'output_file_id' | 'error_file_id', kind: 'output' | 'error') => {
    const staged = await files.blobs.stage(journal.lines(kind === 'output'), { bytesMax: resultBytesMax, tooLarge })
    const id = ids.make('file')
    const file = {
      id,
      filename: `${batch.id}_${kind}.jsonl`,
      purpose: 'batch_output' as const,
      seconds: batch.output_seconds,
    }
    try {
      await files.create(owner, staged, file, [run.held(), updating(store, batch.id, { [column]: id })])
    } catch (error) {
      if (!(error instanceof StaleWrite)) throw error
      await run.write([]) // says so when the batch is somebody else's by now
      await files.room(owner, staged.sizeBytes)
      throw fault.storeBusy(error)
    } finally {
      await staged.discard()
    }
  }
  if (journal.sums.completed > 0 && batch.output_file_id === null) await make('output_file_id', 'output')
  if (journal.sums.failed > 0 && batch.error_file_id === null) await make('error_file_id', 'error')
}

const tooLarge = (): Fault =>
  fault.storeFull(new Error(`The results of a batch come to more than ${inWords(resultBytesMax)}.`))
