import { scrypt, timingSafeEqual } from 'node:crypto'
import { fault } from '../lib/faults.ts'
import type { Random } from '../lib/random.ts'

/**
 * Passwords, as `users.password` holds them: `$scrypt$ln=15,r=8,p=3$salt$hash` (the PHC string format). The parameters stand in the
 * text, so that they can be raised: whoever signs in with an older text gets a new one.
 */
export interface Passwords {
  /** @throws Fault 429 `sign_in_busy` */
  hash(password: string): Promise<string>
  /**
   * Takes the same work whether there is something to compare with or not, so that nobody learns who has a password.
   * @param stored null: nobody's
   * @throws Fault 429 `sign_in_busy`
   */
  verify(password: string, stored: string | null): Promise<Verified>
  /** How often scrypt has run. */
  readonly runs: number
}

export interface Verified {
  matches: boolean
  /** It matches, and was made with other parameters than a new one would be. */
  outdated: boolean
}

/** What one run of scrypt costs. */
export interface Cost {
  /** Binary logarithm of N: memory is 128 · N · r bytes. */
  ln: number
  r: number
  p: number
}

/** OWASP's choice for 32 MiB: about 0.2 s of one core. */
const usualCost: Cost = { ln: 15, r: 8, p: 3 }
/** At once: scrypt takes a thread of Node's pool, which files and names need as well, and its memory. */
const runningMax = 2
/** Beyond these, whoever asks is told to come again. */
const waitingMax = 32

const lengthMin = 10
const bytesMax = 256
const saltBytes = 16
const hashBytes = 32

export function makePasswords({ random, cost = usualCost }: { random: Random; cost?: Cost }): Passwords {
  const turns = new Turns()
  let runs = 0
  const derive = (password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> =>
    turns.take(() => {
      runs++
      const N = 2 ** ln
      const options = { N, r, p, maxmem: 128 * N * r + 128 * r * p + 1_048_576 }
      return new Promise((resolve, reject) =>
        scrypt(plain(password), salt, hashBytes, options, (error, key) =>
          error === null ? resolve(key) : reject(error),
        ),
      )
    })
  const nobodys: Stored = { cost, salt: random.bytes(saltBytes), hash: random.bytes(hashBytes) }

  return {
    get runs() {
      return runs
    },
    async hash(password) {
      const salt = random.bytes(saltBytes)
      return written({ cost, salt, hash: await derive(password, salt, cost) })
    },
    async verify(password, stored) {
      const known = stored === null ? undefined : read(stored)
      const { cost: used, salt, hash } = known ?? nobodys
      const matches = timingSafeEqual(await derive(password, salt, used), hash) && known !== undefined
      return { matches, outdated: matches && written({ cost, salt, hash }) !== stored }
    },
  }
}

/** @throws Fault 400 for a password that nobody should choose */
export function checkPassword(param: string, password: string, email: string): void {
  const bytes = Buffer.byteLength(plain(password))
  const refuse = (why: string) => fault.invalidValue(param, `Invalid '${param}': a password ${why}.`, 'weak_password')
  if ([...password].length < lengthMin) throw refuse(`has at least ${lengthMin} characters`)
  if (bytes > bytesMax) throw refuse(`has at most ${bytesMax} bytes`)
  if (plain(password).toLowerCase() === plain(email).toLowerCase()) throw refuse('is not the e-mail address')
}

/** One form for what keyboards write in several ways (NIST SP 800-63B 3.1.1.2). */
const plain = (text: string): string => text.normalize('NFKC')

/** Runs so many at once, keeps so many waiting. */
class Turns {
  #running = 0
  readonly #waiting: (() => void)[] = []

  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= runningMax) {
      if (this.#waiting.length >= waitingMax) throw fault.signInBusy()
      await new Promise<void>(resolve => this.#waiting.push(resolve)) // whoever leaves hands their place on
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

interface Stored {
  cost: Cost
  salt: Buffer
  hash: Buffer
}

const written = ({ cost: { ln, r, p }, salt, hash }: Stored): string =>
  `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]{1,128})\$([\w+/]{43})$/

/** @returns undefined for what is no such text, or would cost more than any of ours: then it is nobody's */
function read(stored: string): Stored | undefined {
  const [, ln, r, p, salt, hash] = form.exec(stored) ?? []
  if (salt === undefined || hash === undefined) return undefined
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  if (cost.ln < 1 || cost.ln > 18 || cost.r < 1 || cost.r > 16 || cost.p < 1 || cost.p > 16) return undefined
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}
