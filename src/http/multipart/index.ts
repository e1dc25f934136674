import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy'
import type { TSchema } from 'typebox'
import { fault } from '../../lib/faults.ts'
import type { FormSource, IncomingFile } from '../../platform/forms.ts'
import { type Pair, typedPairs } from '../query.ts'
import { announcedBytes } from '../sockets.ts'
import { Intake, released } from './intake.ts'

/** More than any form of OpenAI's clients has; beyond, nothing is read. */
const partsMax = 20
const fieldBytesMax = 131_072
const headerBytesMax = 8192
const headersMax = 20
/** RFC 2046 has 70. */
const boundaryLengthMax = 200
/** Heads, boundaries and fields beside the file. */
const aroundBytesMax = 1_048_576
/** A sender who says nothing for so long is given up. */
const silentMs = 60_000

/** Whether this says that a form follows. */
export const isForm = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^multipart\/form-data\s*(?:;|$)/i.test(contentType)

/**
 * The form in the body of a request (RFC 7578). The file is handed over as it comes, at the pace of whoever takes it; fields are kept.
 * When it cannot be read to its end, what still comes of the body is taken in and dropped, so that the connection can go on.
 * @param signal ends the reading, with its reason
 */
export function formIn(request: IncomingMessage, signal: AbortSignal): FormSource {
  return {
    async read({ file, fields, bytesMax }, take) {
      const bodyBytesMax = bytesMax + aroundBytesMax
      const announced = announcedBytes(request)
      const tooLarge = () => fault.fileTooLarge(file, bytesMax)
      // Without a look at the body: whoever waits for a word before sending it need not send it.
      if (Number.isFinite(announced) && announced > bodyBytesMax) throw tooLarge()
      const reading = new Reading({ file, fields, take, parser: parserOf(request, file), request })
      return reading.pump({ bodyBytesMax, tooLarge, signal })
    },
  }
}

/** @throws Fault 400 for a head that names no boundary */
function parserOf({ headers }: IncomingMessage, file: string): BusboyInstance {
  const type = headers['content-type'] ?? ''
  if (type.length > boundaryLengthMax) throw fault.invalidForm('its boundary is too long')
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': type },
      // The file is one whether or not it has a name; whatever has a name is a file.
      isPartAFile: (name, _type, filename) => name === file || filename !== undefined,
      limits: {
        parts: partsMax,
        fieldSize: fieldBytesMax,
        headerPairs: headersMax,
        headerSize: headerBytesMax,
      },
    })
  } catch (error) {
    throw fault.invalidForm('its head names no boundary', error)
  }
}

interface Given {
  file: string
  fields: TSchema
  take(file: IncomingFile): Promise<void>
  parser: BusboyInstance
  request: IncomingMessage
}

interface Bounds {
  bodyBytesMax: number
  tooLarge(): Error
  signal: AbortSignal
}

/** One form on its way in. */
class Reading {
  readonly #given: Given
  readonly #pairs: Pair[] = []
  readonly #ended = Promise.withResolvers<void>()
  #taking: Promise<void> | undefined
  #stream: BusboyFileStream | undefined
  #intake: Intake | undefined
  #parsing = false
  #failed = false

  constructor(given: Given) {
    this.#given = given
    const { parser } = given
    parser.on('file', (name, stream, filename, encoding) => this.#file(name, stream, filename, encoding))
    parser.on('field', (name, value, _cut, truncated, encoding) => this.#field(name, value, truncated, encoding))
    parser.on('partsLimit', () => this.#fail(fault.invalidForm(`it has more than ${partsMax} parts`)))
    parser.on('error', error =>
      this.#fail(fault.invalidForm('it ends in the middle, or is not put together rightly', error)),
    )
    parser.on('finish', () => {
      if (!this.#failed) this.#ended.resolve()
    })
  }

  /** @returns the fields @throws Fault */
  async pump({ bodyBytesMax, tooLarge, signal }: Bounds): Promise<Record<string, unknown>> {
    const { parser, request } = this.#given
    let readBytes = 0
    const silent = setTimeout(() => this.#fail(fault.bodyStalled(silentMs)), silentMs)
    const aborted = () => this.#fail(signal.reason)
    const early = () => this.#fail(fault.badRequest('The request ended too early.'))
    const listeners = {
      data: (chunk: Buffer) => {
        silent.refresh()
        readBytes += chunk.length
        if (readBytes > bodyBytesMax) this.#fail(tooLarge())
        else if (!this.#failed) this.#parse(chunk)
      },
      end: () => parser.end(),
      error: early,
      close: () => {
        if (!request.complete) early()
      },
    }
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted)
    for (const [name, listener] of Object.entries(listeners)) request.on(name, listener)
    try {
      await this.#ended.promise
      await this.#taking
      return typedPairs(this.#pairs, this.#given.fields)
    } catch (error) {
      await Promise.allSettled([this.#taking]) // whoever was taking the file has noticed that it does not come any more
      throw error
    } finally {
      clearTimeout(silent)
      signal.removeEventListener('abort', aborted)
      for (const [name, listener] of Object.entries(listeners)) request.off(name, listener)
      request.on('error', () => {}) // a body that is cut after we have lost interest in it
      request.resume()
    }
  }

  /** One chunk after another, and the next one when there is room for it. */
  #parse(chunk: Buffer): void {
    const { parser, request } = this.#given
    request.pause()
    this.#parsing = true
    parser.write(chunk, () => {
      this.#parsing = false
      // Fields are texts by now; of the file, the parser may still hold something back.
      if ((this.#stream?.bytesRead ?? 0) === (this.#intake?.takenBytes ?? 0)) released(chunk)
      this.#flow()
    })
  }

  #flow(): void {
    if (!this.#parsing && this.#intake?.isFull !== true) this.#given.request.resume()
  }

  #file(name: string | undefined, stream: BusboyFileStream, filename: string | undefined, encoding: string): void {
    stream.on('error', () => {}) // told by the parser
    const refused = this.#refused(name, encoding) ?? this.#unwanted(name ?? '')
    if (refused !== undefined) {
      stream.resume()
      this.#fail(refused)
      return
    }
    const intake = new Intake(announcedBytes(this.#given.request), () => this.#flow())
    stream.on('data', (piece: Buffer) => intake.add(piece)).on('end', () => intake.end())
    this.#stream = stream
    this.#intake = intake
    this.#taking = this.#given.take({ filename: filename === '' ? undefined : filename, bytes: intake.bytes() })
    this.#taking.catch(error => this.#fail(error))
  }

  #field(name: string | undefined, value: string, truncated: boolean, encoding: string): void {
    const refused = this.#refused(name, encoding)
    if (refused !== undefined) this.#fail(refused)
    else if (truncated) this.#fail(fault.invalidForm(`a field has more than ${fieldBytesMax} bytes`))
    else this.#pairs.push([name ?? '', value])
  }

  /** Parts that mean nothing, or something else than it seems. */
  #refused(name: string | undefined, encoding: string): Error | undefined {
    if (name === undefined || name === '') return fault.invalidForm('a part has no name')
    // Nobody sends them, and read as they are they would be another file (RFC 7578, section 4.7).
    if (!/^(?:7bit|8bit|binary)$/.test(encoding)) return fault.invalidForm('a part has a transfer encoding')
    return undefined
  }

  #unwanted(name: string): Error | undefined {
    if (name !== this.#given.file) return fault.unknownParameter(name)
    return this.#taking === undefined ? undefined : fault.invalidForm(`it holds more than one '${name}'`)
  }

  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#ended.reject(error)
    this.#intake?.fail(error)
    this.#stream?.destroy()
    this.#flow()
  }
}
