import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ids } from '../lib/ids.ts'
import { isRecord } from '../wire/walk.ts'

/**
 * How commands on the machine of a server speak to it without a key: the server makes up a secret when it starts, keeps it in memory,
 * and writes it with its address into `control.json` of the data folder, which its own user alone may read. Whoever can read that file
 * can write the database beside it, so the secret gives nothing that they did not have. It ends with the server.
 */
export interface Control {
  /** Whether this is the operator's secret. That it comes from this machine is for the door to see (`http/operator.ts`). */
  accepts(secret: string): boolean
  /** Tells commands where the server listens. @throws Error when the file cannot be written */
  announce(url: string): void
  /** From now on commands find no server. */
  withdraw(): void
}

export function makeControl({ dataDir, ids }: { dataDir: string; ids: Ids }): Control {
  const secret = ids.make('operatorSecret')
  const expected = sha256(secret)
  const file = fileOf(dataDir)
  return {
    accepts: given => timingSafeEqual(sha256(given), expected),
    announce(url) {
      const part = `${file}.${process.pid}`
      rmSync(part, { force: true })
      writeFileSync(part, JSON.stringify({ url, secret }), { mode: 0o600, flag: 'wx' })
      renameSync(part, file)
    },
    withdraw: () => rmSync(file, { force: true }),
  }
}

/**
 * Where the server of a data folder listens, and its secret. A server that was killed has left both: it does not answer there, and what
 * may listen there by now does not know the secret.
 * @throws Error when the file is there and cannot be read
 */
export function announced(dataDir: string): { url: string; secret: string } | undefined {
  let text: string
  try {
    text = readFileSync(fileOf(dataDir), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Error(`${fileOf(dataDir)} cannot be read: commands must run as the user of the server.`, { cause: error })
  }
  const found = parsed(text)
  if (!isRecord(found) || typeof found.url !== 'string' || typeof found.secret !== 'string')
    throw new Error(`${fileOf(dataDir)} does not hold what a server writes into it. A restart of the server mends it.`)
  return { url: found.url, secret: found.secret }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // told with everything else that is no announcement
  }
}

const fileOf = (dataDir: string): string => join(dataDir, 'control.json')

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
