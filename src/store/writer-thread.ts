import { Worker } from 'node:worker_threads'
import { describe } from '../lib/log.ts'
import { compileCacheDir, sibling } from '../lib/modules.ts'
import type { Failure } from './failure.ts'
import type { FromWriter, ToWriter, WriterOptions } from './writer-messages.ts'

/** The writer thread as a function: one question at a time, one answer each. */
export interface WriterThread {
  /** Rejects when the thread has died, before or after it did what was asked. */
  ask(message: ToWriter): Promise<FromWriter>
  /** Ends the thread, whatever its state. */
  end(): Promise<void>
}

/**
 * Starts the thread and opens the database in it. `onDeath` is told once when the thread ends without having been asked to; what
 * was open then rejects.
 */
export async function startWriterThread(
  options: WriterOptions,
  onDeath: (failure: Failure) => void,
): Promise<{ thread: WriterThread; failure: Failure | undefined }> {
  // An empty environment: the thread needs none of what may stand there.
  const worker = new Worker(entry(), { eval: true, workerData: options, name: 'store-writer', env: {} })
  let pending: { resolve(answer: FromWriter): void; reject(error: Error): void } | undefined
  let alive = true
  const answered = (): Promise<FromWriter> =>
    new Promise((resolve, reject) => {
      if (alive) pending = { resolve, reject }
      else reject(new Error('The writer thread has ended.'))
    })
  const die = (message: string): void => {
    if (!alive) return
    alive = false
    onDeath({ kind: 'io', message })
    pending?.reject(new Error(message))
  }
  worker.on('message', (answer: FromWriter) => pending?.resolve(answer))
  worker.on('error', error => die(`the writer thread failed: ${describe(error)}`))
  worker.on('exit', code => die(`the writer thread ended with code ${code}`))

  const thread: WriterThread = {
    ask(message) {
      const answer = answered()
      worker.postMessage(message)
      return answer
    },
    async end() {
      alive = false
      await worker.terminate()
    },
  }
  const { failure } = await answered()
  if (failure !== undefined) await thread.end()
  return { thread, failure }
}

/** Plain JavaScript that turns the cache of compiled code on before the first of our files is loaded. */
function entry(): string {
  const cache = compileCacheDir()
  const enable = cache === undefined ? '' : `require('node:module').enableCompileCache(${JSON.stringify(cache)});`
  return `${enable} import(${JSON.stringify(sibling(import.meta.url, './writer').href)})`
}
