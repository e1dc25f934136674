import type { Clock } from '../../lib/clock.ts'
import type { Store } from '../../store/store.ts'
import type { JobRun } from '../jobs/handler.ts'
import type { Journal } from './journal.ts'
import type { Sums } from './records.ts'
import { updating } from './rows.ts'
import type { BatchRow } from './types.ts'

/** How often they are written. */
const everyMs = 250

/** Tells the row of a batch how many lines are done, now and then. What is told is on the disk. */
export class Counting {
  readonly #parts: { journal: Journal; run: JobRun; store: Store; clock: Clock; id: string }
  #toldMs = Number.NEGATIVE_INFINITY
  #told = -1

  constructor(parts: { journal: Journal; run: JobRun; store: Store; clock: Clock; id: string }) {
    this.#parts = parts
  }

  /** @throws LeaseLost; what `Store.write` throws */
  async tell(atOnce = false): Promise<void> {
    const { journal, run, store, clock, id } = this.#parts
    const done = journal.sums.completed + journal.sums.failed
    const nowMs = clock.monotonic()
    if (done === this.#told || (!atOnce && nowMs - this.#toldMs < everyMs)) return
    this.#toldMs = nowMs
    this.#told = done
    await run.write([updating(store, id, countsOf(journal.sums))])
    run.progressed()
  }
}

/** As columns of the row. */
export const countsOf = ({ completed, failed, input, cached, output, reasoning }: Sums): Partial<BatchRow> => ({
  ...{ completed, failed },
  ...{ input_tokens: input, cached_tokens: cached, output_tokens: output, reasoning_tokens: reasoning },
})
