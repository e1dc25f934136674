import { checkHeader } from '../../gguf/check.ts'
import { limits, parseHeader } from '../../gguf/read.ts'
import { type Answer, Break, type Exchange, get, lengthOf, nextOf, refuseStatus } from './exchange.ts'
import type { Part } from './part.ts'

/** What the caller of a download does for it. */
export interface Helpers {
  exchange: Exchange
  /** A sentence about something out of the ordinary. */
  note(sentence: string): void
  /** How far it is. */
  reached(haveBytes: number, sizeBytes: number): void
  /** Asked once, as soon as the size is known and before the first byte is taken. @throws Error when it does not fit */
  fits(sizeBytes: number, haveBytes: number): Promise<void>
  wait(ms: number, signal: AbortSignal): Promise<void>
  pid: number
}

/** Tries one after another that bring less than `progressBytes`. */
const triesMax = 5
const progressBytes = 1024 * 1024
const startsOverMax = 3
const firstWaitMs = 1000
const longestWaitMs = 60_000
const firstLookBytes = 24

/** What is wrong with the bytes themselves: they are of no use for a later run. */
export class Unusable extends Error {
  override readonly name = 'Error'
}

/**
 * Fetches a file into its part, taking up where it stopped after a break. What it brings is looked at as it comes: a file that is no
 * GGUF model is refused after its first bytes.
 * @throws Unusable for wrong bytes, Error for what does not pass by trying again
 */
export async function download(url: URL, part: Part, helpers: Helpers): Promise<void> {
  const transfer = new Transfer(url, part, helpers)
  for (let tries = 1; ; tries++) {
    const before = part.haveBytes
    try {
      if (await transfer.attempt()) return
    } catch (error) {
      if (!(error instanceof Break)) throw error
      if (part.haveBytes - before >= progressBytes) tries = 1
      if (tries >= triesMax)
        throw new Error(`${error.message} After ${triesMax} tries it was left; the same command goes on from there.`, {
          cause: error.cause,
        })
      const ms = Math.min(error.afterMs ?? firstWaitMs * 2 ** (tries - 1), longestWaitMs)
      helpers.note(`${error.message} Trying again in ${Math.ceil(ms / 1000)} s.`)
      await helpers.wait(ms, helpers.exchange.signal)
    }
  }
}

class Transfer {
  readonly #url: URL
  readonly #part: Part
  readonly #helpers: Helpers
  #fits = false
  #lookAt = firstLookBytes
  #looked = false
  #startsOver = 0

  constructor(url: URL, part: Part, helpers: Helpers) {
    this.#url = url
    this.#part = part
    this.#helpers = helpers
  }

  /** One request. @returns whether the file is complete */
  async attempt(): Promise<boolean> {
    const { haveBytes, known } = this.#part
    const resumes = haveBytes > 0
    const answer = await get(
      this.#url,
      {
        accept: '*/*',
        'accept-encoding': 'identity',
        ...(resumes && { range: `bytes=${haveBytes}-` }),
        ...(resumes && known.etag !== undefined && known.sha256 === undefined && { 'if-range': known.etag }),
      },
      this.#helpers.exchange,
    )
    try {
      const sizeBytes = await this.#accept(answer)
      if (sizeBytes === undefined) return false
      await this.#take(answer, sizeBytes)
      return true
    } finally {
      answer.leave()
    }
  }

  /** @returns the size of the whole file; undefined when it must be asked for from its start */
  async #accept(answer: Answer): Promise<number | undefined> {
    const { status } = answer
    const part = this.#part
    if (status !== 200 && status !== 206 && status !== 416) refuseStatus(answer, this.#url.pathname.slice(0, 200))
    if (![undefined, 'identity'].includes(answer.header('content-encoding')))
      throw new Error(
        `${answer.url.host} sends the file ${answer.header('content-encoding')?.slice(0, 20)}-encoded, against what was asked.`,
      )
    const range = /^bytes (?:(\d{1,15})-\d{1,15}|\*)\/(\d{1,15}|\*)$/.exec(answer.header('content-range') ?? '')
    const sizeBytes = lengthOf(status === 200 ? answer.header('content-length') : range?.[2])
    const etag = strong(answer.header('etag'))
    const from = Number(range?.[1])
    if (this.#isOther(answer) || (status !== 200 && !this.#goesOn(answer, from, { sizeBytes, etag }))) {
      await this.#startOver('What was fetched before is not of the same file any more')
      return undefined
    }
    if (status === 200 && part.haveBytes > 0) await this.#startOver('The server sends the whole file again')
    const whole = sizeBytes ?? part.known.sizeBytes ?? answer.linked.sizeBytes
    if (whole === undefined)
      throw new Error(`${answer.url.host} does not say how large the file is: whether it fits cannot be known.`)
    for (const said of [part.known.sizeBytes, answer.linked.sizeBytes])
      if (said !== undefined && said !== whole)
        throw new Unusable(`The file should have ${said} bytes, but ${answer.url.host} sends ${whole}.`)
    part.known.sizeBytes = whole
    part.known.etag = etag
    part.known.sha256 ??= answer.linked.sha256
    if (!this.#fits) await this.#helpers.fits(whole, part.haveBytes)
    this.#fits = true
    await part.remember(this.#helpers.pid)
    return whole
  }

  /** Whether the hub promises another file than the one that was begun. A checksum says more than an ETag. */
  #isOther({ linked: { sha256 } }: Answer): boolean {
    const { known } = this.#part
    if (sha256 === undefined || known.sha256 === undefined || sha256 === known.sha256) return false
    known.sha256 = sha256
    known.sizeBytes = undefined
    return true
  }

  /** Whether these bytes follow on those that are here. */
  #goesOn(
    answer: Answer,
    from: number,
    { sizeBytes, etag }: { sizeBytes: number | undefined; etag: string | undefined },
  ) {
    const { haveBytes, known } = this.#part
    if (answer.status === 416) return sizeBytes === haveBytes && haveBytes > 0
    const changed = known.sha256 === undefined && known.etag !== undefined && etag !== undefined && etag !== known.etag
    const other = known.sizeBytes !== undefined && sizeBytes !== undefined && sizeBytes !== known.sizeBytes
    return from === haveBytes && !changed && !other
  }

  async #startOver(why: string): Promise<void> {
    if (++this.#startsOver > startsOverMax)
      throw new Error(`${why}, for the ${this.#startsOver}th time: the server cannot be relied on.`)
    const { known } = this.#part
    this.#helpers.note(`${why}: starting over.`)
    await this.#part.startOver()
    this.#looked = false
    this.#lookAt = firstLookBytes
    known.etag = undefined
  }

  async #take(answer: Answer, sizeBytes: number): Promise<void> {
    const part = this.#part
    const { exchange, reached } = this.#helpers
    reached(part.haveBytes, sizeBytes)
    await this.#look(sizeBytes)
    if (answer.status === 416) return
    for (let bytes = await nextOf(answer, exchange); bytes !== undefined; bytes = await nextOf(answer, exchange)) {
      if (part.haveBytes + bytes.length > sizeBytes)
        throw new Unusable(`${answer.url.host} sends more than the ${sizeBytes} bytes of the file.`)
      await part.write(bytes)
      reached(part.haveBytes, sizeBytes)
      await this.#look(sizeBytes)
    }
    if (part.haveBytes < sizeBytes)
      throw new Break(`${answer.url.host} ended after ${part.haveBytes} of ${sizeBytes} bytes.`)
  }

  /** Reads the header as soon as it is here. */
  async #look(sizeBytes: number): Promise<void> {
    const { haveBytes } = this.#part
    if (this.#looked || haveBytes < Math.min(this.#lookAt, sizeBytes)) return
    try {
      const header = parseHeader(await this.#part.start(limits.headerBytes), sizeBytes)
      if (header === 'more') {
        if (haveBytes >= Math.min(limits.headerBytes, sizeBytes))
          throw new Error('Not a usable GGUF file: its header does not end.')
        this.#lookAt = Math.max(1024 * 1024, haveBytes * 4)
        return
      }
      const { kind } = checkHeader(header)
      if (kind !== 'model') throw new Error(`It is not a model but: ${kind.slice(0, 40)}.`)
    } catch (error) {
      throw new Unusable(error instanceof Error ? error.message : 'Not a usable GGUF file.', { cause: error })
    }
    this.#looked = true
  }
}

/** An ETag that promises the same bytes; a weak one does not. */
const strong = (etag: string | undefined) =>
  etag !== undefined && /^"[\x21\x23-\x7e]{1,200}"$/.test(etag) ? etag : undefined
