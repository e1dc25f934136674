import { fault } from '../lib/faults.ts'

/**
 * Why a statement failed, as plain data: it crosses a thread, and it is the same for every dialect. The message is the database's own
 * (names of tables and columns, never values).
 */
export interface Failure {
  readonly kind: FailureKind
  readonly message: string
}

/** The first line is the caller's doing and touches that call alone. The second is the store's state: trying again later may help. */
export type FailureKind =
  | ('unique' | 'foreign-key' | 'not-null' | 'check' | 'stale' | 'range' | 'program')
  | ('busy' | 'full' | 'read-only' | 'corrupt' | 'io' | 'memory')
  | ('sync' | 'closed')

/** The number of changed rows was not the expected one, so the whole call was rolled back: someone else was faster. */
export class StaleWrite extends Error {
  override readonly name = 'StaleWrite'
}

/** A rule of the schema refused the call, and it was rolled back. */
export class ConstraintFailed extends Error {
  override readonly name = 'ConstraintFailed'
  readonly constraint: 'unique' | 'foreign-key' | 'not-null' | 'check'

  constructor(constraint: ConstraintFailed['constraint'], message: string) {
    super(message)
    this.constraint = constraint
  }
}

/** What the caller of the store gets: faults for everything that is not the caller's business. */
export function errorOf({ kind, message }: Failure): Error {
  switch (kind) {
    case 'stale':
      return new StaleWrite(message)
    case 'unique':
    case 'foreign-key':
    case 'not-null':
    case 'check':
      return new ConstraintFailed(kind, message)
    case 'range':
      return new RangeError(message)
    case 'full':
      return fault.storeFull(new Error(message))
    case 'busy':
      return fault.storeBusy(new Error(message))
    case 'closed':
      return fault.draining()
    default:
      return fault.storeFailed(new Error(`${kind}: ${message}`))
  }
}

const passing: ReadonlySet<FailureKind> = new Set(['busy', 'full', 'read-only', 'corrupt', 'io', 'memory'])

/** Whether it is the state of the store rather than of the call, so that the same call can succeed later. */
export const mayPass = (failure: Failure): boolean => passing.has(failure.kind)

/** SQLite's result codes: https://www.sqlite.org/rescode.html. Extended codes carry the primary one in the low eight bits. */
const primary: Readonly<Record<number, FailureKind>> = {
  3: 'read-only', // PERM
  5: 'busy', // BUSY
  6: 'busy', // LOCKED
  7: 'memory', // NOMEM
  8: 'read-only', // READONLY
  10: 'io', // IOERR
  11: 'corrupt', // CORRUPT
  13: 'full', // FULL
  14: 'read-only', // CANTOPEN
  26: 'corrupt', // NOTADB
}

const extended: Readonly<Record<number, FailureKind>> = {
  275: 'check',
  787: 'foreign-key',
  1299: 'not-null',
  1555: 'unique', // primary key
  2067: 'unique',
  // After a failed fsync the kernel may have dropped what it could not write, so a second, successful one proves nothing.
  1034: 'sync', // IOERR_FSYNC
  1290: 'sync', // IOERR_DIR_FSYNC
}

const system: Readonly<Record<string, FailureKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EACCES: 'read-only',
  EPERM: 'read-only',
  EROFS: 'read-only',
  EIO: 'io',
}

/** Reads an error of `node:sqlite` or of `node:fs`. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'program', message: 'something that is no Error was thrown' }
  if ('errcode' in error && typeof error.errcode === 'number') {
    const kind = extended[error.errcode] ?? primary[error.errcode & 0xff] ?? 'program'
    return { kind, message: `${error.message} (SQLite ${error.errcode})` }
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ERR_OUT_OF_RANGE')
    return { kind: 'range', message: `An integer in the database is beyond 2^53: ${error.message}` }
  return { kind: system[code] ?? 'program', message: error.message }
}
