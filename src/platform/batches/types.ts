import type { BatchesTable } from '../../store/schema/batches.ts'
import type { BatchError } from '../../wire/batches.ts'
import type { Caller } from '../access.ts'
import type { Handler } from '../jobs/handler.ts'
import type { Page, PageAsked } from '../page.ts'

/** Whose batches: a project's, and no others are ever looked at. */
export interface Owner {
  readonly organizationId: string
  readonly projectId: string
}

export type BatchRow = BatchesTable
export type Problem = BatchError

export interface NewBatch {
  inputFileId: string
  endpoint: string
  metadata: Readonly<Record<string, string>> | null
  /** How long the files with the results live; null: for ever. */
  outputSeconds: number | null
}

/** The batches of all projects. Everything is asked for by owner; what another project has is not there. */
export interface Batches {
  /** Resolves when the batch survives a kill. @throws Fault 400 for an endpoint or file that cannot be a batch's, 404 for the file, 429 when too many are open */
  create(caller: Caller, batch: NewBatch): Promise<BatchRow>
  /** @throws Fault 404 */
  find(owner: Owner, id: string): Promise<BatchRow>
  /** The newest first. @throws Fault 400 for a cursor that is not in the list */
  list(owner: Owner, asked: PageAsked): Promise<Page<BatchRow>>
  /** Asks for its end. One that has ended stays as it is. @throws Fault 404, 409 for one that has ended otherwise */
  cancel(owner: Owner, id: string): Promise<BatchRow>
  /** Somebody has asked a model, and waits for the answer: batches leave it some room. */
  noticed(model: string): void
  /** Who works batches off. */
  readonly handlers: readonly Handler[]
}
