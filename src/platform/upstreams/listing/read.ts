import type { UpstreamPool } from '../../../engines/upstream/index.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Timers } from '../../../lib/timers.ts'
import { type Answer, ask, Unanswered } from './ask.ts'
import type { UpstreamDoor } from './door.ts'
import { listBytesMax, namesIn } from './names.ts'
import { type Trouble, whyRefused, whyUnanswered } from './words.ts'

/** What reading a list came to. */
export type ListRead = {
  /** Until a connection stood; undefined: none did. */
  readonly connectedMs: number | undefined
  /** Until the answer began, or the question failed. */
  readonly ms: number
} & (
  | {
      readonly models: readonly string[]
      /** They can be called by these names. */
      readonly callable: boolean
    }
  | { readonly trouble: Trouble }
)

export interface ReadOptions {
  readonly clock: Clock
  readonly timers: Timers
  readonly signal: AbortSignal
  /** Of the whole answer. Default 10 s. */
  readonly timeoutMs?: number
  /** Default: the one that the engines share. */
  readonly pool?: UpstreamPool
}

/** Asks an upstream for its models. What goes wrong is told in words, and never thrown. */
export async function readModels(door: UpstreamDoor, options: ReadOptions): Promise<ListRead> {
  const { clock, timers, signal, timeoutMs = 10_000, pool = door.pool } = options
  const { headers, listPath: path } = door
  const startedMs = clock.monotonic()
  let answer: Answer
  try {
    const limits = { timeoutMs, bytesMax: listBytesMax, signal, clock, timers }
    answer = await ask({ pool, method: 'GET', path, headers, ...limits })
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error
    const ms = Math.round(clock.monotonic() - startedMs)
    return { connectedMs: error.connectedMs, ms, trouble: whyUnanswered(error, door) }
  }
  const { connectedMs, headMs: ms } = answer
  const models = answer.status === 200 ? namesIn(answer.bytes) : undefined
  if (models !== undefined) return { connectedMs, ms, models, callable: door.listsCallable }
  return { connectedMs, ms, trouble: whyRefused(answer, door, 'a list of models') }
}
