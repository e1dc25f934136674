import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'

/** A key under which secrets are encrypted. */
export interface SecretKey {
  /** Tells keys apart, and says nothing about them. */
  readonly id: string
  readonly bytes: Buffer
}

export interface SecretKeysOptions {
  readonly dataDir: string
  /** In base64 or hex; it wins over `file`. */
  readonly key?: string | undefined
  /** The path of one that holds it. */
  readonly file?: string | undefined
  /** Keys of before, which read what they have encrypted. */
  readonly old?: readonly string[]
  readonly random: Random
  readonly log: Log
}

/** The keys of this server. */
export interface SecretKeys {
  /** What is encrypted now is encrypted with it; it is made where there is none. @throws Error when it cannot be */
  current(): SecretKey
  /** The same, when there is one. @throws Error when it cannot be read */
  known(): SecretKey | undefined
  /** The one that has encrypted something. */
  byId(id: string): SecretKey | undefined
}

const keyBytes = 32
const fileName = 'secret.key'

/**
 * The key of the settings, or else that of the file `secret.key` in the data folder. Where the settings name one, the file still reads:
 * so its secrets move over at the next start.
 * @throws Error for people, when a key of the settings is none
 */
export function secretKeys({ dataDir, key, file, old = [], random, log }: SecretKeysOptions): SecretKeys {
  const named = key !== undefined ? keyOf(key, 'The setting `secret_key`') : keyIn(file)
  const retired = old.map((text, place) => keyOf(text, `The setting \`secret_keys_old\`, number ${place + 1},`))
  const home = join(dataDir, fileName)
  let kept: SecretKey | undefined
  const ofFile = () => {
    kept ??= readKey(home, log)
    return kept
  }
  const known = () => named ?? ofFile()
  return {
    current() {
      const there = known()
      if (there !== undefined) return there
      makeKey(home, random)
      kept = readKey(home, log)
      if (kept === undefined) throw new Error(`${home} was removed while it was made.`)
      log.info('secrets.key_made', { file: home })
      return kept
    },
    known,
    byId: id => [named, ...retired].find(one => one?.id === id) ?? same(ofFile(), id),
  }
}

const same = (key: SecretKey | undefined, id: string) => (key?.id === id ? key : undefined)

/** @throws Error without a word of the text */
function keyOf(text: string, where: string): SecretKey {
  const written = text.trim()
  const bytes = /^[0-9a-f]{64}$/i.test(written)
    ? Buffer.from(written, 'hex')
    : Buffer.from(/^[\w+/-]{43}=?$/.test(written) ? written : '', 'base64')
  if (bytes.length !== keyBytes)
    throw new Error(`${where} holds no key: expected ${keyBytes} bytes in base64 or hex (\`openssl rand -base64 32\`).`)
  return { id: createHash('sha256').update('parlance secret key ').update(bytes).digest('hex').slice(0, 12), bytes }
}

function keyIn(file: string | undefined): SecretKey | undefined {
  if (file === undefined) return undefined
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file}, which the setting \`secret_key_file\` names, cannot be read.`, { cause: error })
  }
  return keyOf(text, file)
}

/** Undefined: there is none. */
function readKey(file: string, log: Log): SecretKey | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Error(`${file} cannot be read: it holds the key of the secrets in the database.`, { cause: error })
  }
  const key = keyOf(text, file)
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o077) !== 0 && process.platform !== 'win32')
    log.warn('secrets.key_open', { file, mode: mode.toString(8), mend: `chmod 600 ${file}` })
  return key
}

/**
 * The file comes into being whole, and never takes the place of another: of two processes that make it at once, both use that of the
 * first, because what the other had encrypted would be lost.
 */
function makeKey(file: string, random: Random): void {
  const part = `${file}.${process.pid}.${random.bytes(6).toString('hex')}`
  const bytes = random.bytes(keyBytes)
  try {
    synced(part, 'wx', descriptor => writeSync(descriptor, `${bytes.toString('base64')}\n`))
    linkSync(part, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST'))
      throw new Error(`${file} cannot be written: the key of the secrets in the database would stand there.`, {
        cause: error,
      })
  } finally {
    rmSync(part, { force: true })
  }
  if (process.platform !== 'win32') synced(dirname(file), 'r') // its name must outlive a power cut as its text does
}

function synced(path: string, flag: string, write: (descriptor: number) => unknown = () => undefined): void {
  const descriptor = openSync(path, flag, 0o600)
  try {
    write(descriptor)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
