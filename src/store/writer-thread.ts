import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { sibling } from '../lib/modules.ts'
import { describe } from '../lib/log.ts'
import type { Failure } from './failure.ts'
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.ts'

/** The writer thread as a function: one question at a time, one answer each. */
export interface WriterThread {
  /** Rejects when the thread has died, before or after it did what was asked. */
  ask(message: ToWriter): Promise<FromWriter>
  /** Resolves when the thread has ended after `close`. */
  ended(): Promise<void>
}

/** Starts the thread and opens the database in it. */
export async function startWriterThread(
  options: WriterOptions,
  onDeath: (failure: Failure) => void,
): Promise<{ thread: WriterThread; failure: Failure | undefined }> {
  // An empty environment: the thread needs none of what may stand there.
  const worker = new Worker(sibling(import.meta.url, './writer'), { workerData: options, name: 'store-writer', env: {} })
  let open: { resolve(answer: FromWriter): void; reject(error: Error): void } | undefined
  let closing = false
  const take = (): typeof open => {
    const taken = open
    open = undefined
    return taken
  }
  const die = (message: string): void => {
    onDeath({ kind: 'io', message })
    take()?.reject(new Error(message))
  }
  const answered = (): Promise<FromWriter> => new Promise((resolve, reject) => (open = { resolve, reject }))

  worker.on('message', (answer: FromWriter) => take()?.resolve(answer))
  worker.on('error', error => die(`the writer thread failed: ${describe(error)}`))
  worker.on('exit', code => closing || die(`the writer thread ended with code ${code}`))
  const exited = once(worker, 'exit')
  exited.catch(() => {}) // an 'error' event: `die` has told it

  const { failure } = await answered().then(failureIn)
  return {
    failure,
    thread: {
      ask(message) {
        closing ||= message.kind === 'close'
        const answer = answered()
        worker.postMessage(message)
        return answer
      },
      async ended() {
        await exited
      },
    },
  }
}

const failureIn = (answer: FromWriter): { failure: Failure | undefined } => ({ failure: answer.failure })
