import { describe, type Log } from '../lib/log.ts'

/** How often a change that another process made is looked for. */
const lookEveryMs = 500

export interface WatchedRows {
  /** Reads the rows anew: this process has changed them. @throws what reading throws; what was read before stays */
  changed(): Promise<void>
  /** Reads them anew if another process has changed them. */
  look(): Promise<void>
  close(): void
}

/**
 * Keeps what was read from a table as it is in the table, without asking it at each request.
 * @param mark cheap to read, and another one after each change, such as the number of rows and the newest date
 * @param read puts what it reads in place; never runs twice at once
 */
export async function watchRows({ name, mark, read, log }: WatchedTable): Promise<WatchedRows> {
  let seen = ''
  let reading: Promise<void> = Promise.resolve()
  let looking = false
  const changed = () => {
    const next = async () => {
      const before = await mark() // first: a change between the two is seen at the next look
      await read()
      seen = before
    }
    const mine = reading.then(next)
    reading = mine.catch(() => undefined) // whoever asked for it is told
    return mine
  }
  const look = async () => {
    if ((await mark()) !== seen) await changed()
  }
  await changed()
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    look()
      .catch((error: unknown) => log.error(`${name}.unread`, { cause: describe(error) }))
      .finally(() => {
        looking = false
      })
  }, lookEveryMs).unref()
  return { changed, look, close: () => clearInterval(timer) }
}

interface WatchedTable {
  /** Of what, for the log. */
  name: string
  mark(): Promise<string>
  read(): Promise<void>
  log: Log
}
