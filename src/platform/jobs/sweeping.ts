import type { Clock } from '../../lib/clock.ts'
import type { Queue } from '../../store/queue/index.ts'
import type { Handler } from './handler.ts'

const dayMs = 86_400_000
/** Long enough to look at what has gone wrong. */
const keptMs = 30 * dayMs

/** Forgets jobs that ended long ago. */
export function sweeper({ queue, clock }: { queue: Queue; clock: Clock }): Handler {
  return {
    kind: 'jobs.sweep',
    everyMs: dayMs,
    async run({ log }) {
      const jobs = await queue.sweep(clock.now() - keptMs)
      if (jobs > 0) log.info('jobs.swept', { jobs })
    },
  }
}
