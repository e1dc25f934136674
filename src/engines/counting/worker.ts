/** The thread that does large work, started by `thread.ts`. Jobs run side by side, in slices, and can be aborted. */
import { parentPort } from 'node:worker_threads'
import { Fault } from '../../lib/faults.ts'
import { loadEncoding } from '../../tokens/index.ts'
import { type Work, work } from './work.ts'

export type ToWorker =
  | {
      [Kind in keyof Work]: {
        readonly id: number
        readonly kind: Kind
        readonly encoding: string
        readonly input: Work[Kind]['input']
      }
    }[keyof Work]
  | { readonly id: number; readonly kind: 'abort' }

export type FromWorker =
  | { readonly id: number; readonly output: Work[keyof Work]['output'] }
  /** A Fault loses its class on the way; its row survives. */
  | { readonly id: number; readonly failed: { fault: ConstructorParameters<typeof Fault>[0] } | { message: string } }

const running = new Map<number, AbortController>()

parentPort?.on('message', async (message: ToWorker) => {
  const { id, kind } = message
  if (kind === 'abort') {
    running.get(id)?.abort()
    return
  }
  const abort = new AbortController()
  running.set(id, abort)
  try {
    send({ id, output: await done(message, abort.signal) })
  } catch (error) {
    if (abort.signal.aborted) return
    if (error instanceof Fault) {
      const { status, message: words, type, param, code } = error
      send({ id, failed: { fault: { status, message: words, type, param, code } } })
    } else send({ id, failed: { message: error instanceof Error ? error.message : 'unknown error' } })
  } finally {
    running.delete(id)
  }
})

async function done(job: Exclude<ToWorker, { kind: 'abort' }>, signal: AbortSignal) {
  const encoding = await loadEncoding(job.encoding)
  switch (job.kind) {
    case 'count':
      return work.count(encoding, job.input, signal)
    case 'encode':
      return work.encode(encoding, job.input, signal)
    case 'decode':
      return work.decode(encoding, job.input, signal)
    case 'pieces':
      return work.pieces(encoding, job.input, signal)
    case 'chat':
      return work.chat(encoding, job.input, signal)
  }
}

/** Lists of numbers are handed over, not copied. */
function send(message: FromWorker): void {
  const output = 'output' in message ? message.output : undefined
  const list =
    output instanceof Uint32Array ? output : typeof output === 'object' && 'ends' in output ? output.ends : undefined
  const buffer = list?.buffer
  parentPort?.postMessage(message, buffer instanceof ArrayBuffer ? [buffer] : [])
}
