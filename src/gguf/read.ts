import type { FileHandle } from 'node:fs/promises'
import {
  arrayTypeNumber,
  defaultAlignment,
  magic,
  type ScalarType,
  scalarBytes,
  scalarTypes,
  type TensorType,
  tensorTypes,
  wideTypes,
} from './types.ts'

/** Bounds on what a header may claim. Far above real files (the largest known vocabularies have 262,144 tokens in about 8 MB). */
export const limits = {
  headerBytes: 64 * 1024 * 1024,
  entries: 10_000,
  tensors: 65_536,
  keyBytes: 65_535, // GGUF specification
  stringBytes: 4 * 1024 * 1024,
  arrayItems: 1_000_000,
  tensorNameBytes: 63, // GGML_MAX_NAME - 1
  dimensions: 4, // GGML_MAX_DIMS
} as const

export interface TensorInfo {
  readonly name: string
  /** Outermost first: a matrix is `[rows, columns]`. */
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From the start of the file. */
  readonly offset: number
  readonly sizeBytes: number
}

/**
 * Reads the header of a GGUF file (versions 2 and 3), never its tensor data. Everything the header claims is held against the size
 * of the file and the bounds above before it is used. Values are decoded when they are asked for.
 * @throws Error that says what is wrong with the file.
 */
export async function readGguf(file: FileHandle): Promise<GgufHeader> {
  const { size } = await file.stat()
  const most = Math.min(size, limits.headerBytes)
  for (let wanted = Math.min(most, 1024 * 1024); ; wanted = Math.min(most, wanted * 4)) {
    const bytes = await readStart(file, wanted)
    const header = parseHeader(bytes, size)
    if (header !== 'more') return header
    if (wanted === most) {
      if (most < size) throw broken(`its header is longer than ${limits.headerBytes} bytes`)
      throw broken('it ends inside its header')
    }
  }
}

/** The header in `bytes`, the start of a file of `fileBytes` bytes, or 'more' when the header goes on behind them. */
export function parseHeader(bytes: Buffer, fileBytes: number): GgufHeader | 'more' {
  try {
    return parse(new Cursor(bytes), fileBytes)
  } catch (error) {
    if (error instanceof OutOfBytes) return 'more'
    throw error
  }
}

/**
 * The keys that lie whole in `bytes`, the start of a file; without tensors.
 * @throws Error that says what is wrong with them
 */
export function parseBeginning(bytes: Buffer, fileBytes: number): GgufHeader {
  const cursor = new Cursor(bytes)
  const entries = new Map<string, Entry>()
  let version = 0
  try {
    const preamble = readPreamble(cursor, fileBytes)
    version = preamble.version
    readEntries(cursor, preamble.entryCount, { entries, fileBytes })
  } catch (error) {
    if (!(error instanceof OutOfBytes)) throw error
  }
  return new GgufHeader({ version, fileBytes, headerBytes: cursor.at, tensors: [], bytes, entries })
}

/** What a header says. Getters give `undefined` for a key that is absent and throw when its value has another type. */
export class GgufHeader {
  readonly version: number
  readonly fileBytes: number
  readonly headerBytes: number
  readonly tensors: readonly TensorInfo[]
  readonly #bytes: Buffer
  readonly #entries: ReadonlyMap<string, Entry>

  constructor(fields: {
    version: number
    fileBytes: number
    headerBytes: number
    tensors: readonly TensorInfo[]
    bytes: Buffer
    entries: ReadonlyMap<string, Entry>
  }) {
    this.version = fields.version
    this.fileBytes = fields.fileBytes
    this.headerBytes = fields.headerBytes
    this.tensors = fields.tensors
    this.#bytes = fields.bytes
    this.#entries = fields.entries
  }

  keys(): string[] {
    return [...this.#entries.keys()]
  }

  /** Items of an array; undefined when the key is absent or not an array. */
  count(key: string): number | undefined {
    const entry = this.#entries.get(key)
    return entry?.array === true ? entry.count : undefined
  }

  text(key: string): string | undefined {
    const entry = this.#entry(key, false, type => type === 'string')
    return entry && new Cursor(this.#bytes, entry.at).string(limits.stringBytes, key)
  }

  /** Any number type; 64-bit values beyond 2^53 lose their last digits. */
  number(key: string): number | undefined {
    const entry = this.#entry(key, false, type => type !== 'string' && type !== 'bool')
    return entry && new Cursor(this.#bytes, entry.at).number(entry.type)
  }

  flag(key: string): boolean | undefined {
    const entry = this.#entry(key, false, type => type === 'bool')
    return entry && this.#bytes[entry.at] !== 0
  }

  texts(key: string): string[] | undefined {
    const entry = this.#entry(key, true, type => type === 'string')
    if (entry === undefined) return undefined
    const cursor = new Cursor(this.#bytes, entry.at)
    return Array.from({ length: entry.count }, () => cursor.string(limits.stringBytes, key))
  }

  numbers(key: string): number[] | undefined {
    const entry = this.#entry(key, true, type => type !== 'string' && type !== 'bool')
    if (entry === undefined) return undefined
    const cursor = new Cursor(this.#bytes, entry.at)
    return Array.from({ length: entry.count }, () => cursor.number(entry.type))
  }

  /** Numbers count as flags that are set unless they are 0. */
  flags(key: string): boolean[] | undefined {
    const entry = this.#entry(key, true, type => type !== 'string')
    if (entry?.type !== 'bool') return this.numbers(key)?.map(number => number !== 0)
    return Array.from(this.#bytes.subarray(entry.at, entry.at + entry.count), byte => byte !== 0)
  }

  /** Whether the key is there, and its value an array. */
  isArray(key: string): boolean {
    return this.#entries.get(key)?.array === true
  }

  #entry(key: string, array: boolean, fits: (type: ScalarType) => boolean): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined && (entry.array !== array || !fits(entry.type)))
      throw broken(`'${shown(key)}' has an unexpected type`)
    return entry
  }
}

interface Entry {
  readonly type: ScalarType
  readonly array: boolean
  readonly count: number
  /** Of the first item, behind type and count. */
  readonly at: number
}

function parse(cursor: Cursor, fileBytes: number): GgufHeader {
  const { version, tensorCount, entryCount } = readPreamble(cursor, fileBytes)
  const entries = new Map<string, Entry>()
  readEntries(cursor, entryCount, { entries, fileBytes })
  const alignment = readAlignment(cursor, entries)
  const claims: Claim[] = []
  const names = new Set<string>()
  for (let i = 0; i < tensorCount; i++) {
    const claim = readClaim(cursor)
    if (names.has(claim.name)) throw broken(`the tensor '${shown(claim.name)}' appears twice`)
    names.add(claim.name)
    claims.push(claim)
  }
  const tensors = placed(claims, cursor.at, alignment, fileBytes)
  return new GgufHeader({ version, fileBytes, headerBytes: cursor.at, tensors, bytes: cursor.bytes, entries })
}

function readPreamble(cursor: Cursor, fileBytes: number) {
  if (fileBytes === 0) throw broken('the file is empty')
  if (fileBytes < 24 || cursor.ascii(4) !== magic) throw broken('it does not begin with a GGUF header')
  const version = cursor.u32()
  if ((version & 0xffff) === 0) throw broken('it is written for a big-endian machine')
  if (version !== 2 && version !== 3) throw broken(`its format version ${version} is not supported (2 and 3 are)`)
  const tensorCount = cursor.u64(limits.tensors, 'the number of tensors')
  const entryCount = cursor.u64(limits.entries, 'the number of keys')
  return { version, tensorCount, entryCount }
}

function readEntries(
  cursor: Cursor,
  count: number,
  { entries, fileBytes }: { entries: Map<string, Entry>; fileBytes: number },
): void {
  for (let i = 0; i < count; i++) {
    const key = cursor.string(limits.keyBytes, 'a key')
    if (entries.has(key)) throw broken(`the key '${shown(key)}' appears twice`)
    entries.set(key, readEntry(cursor, key, fileBytes))
  }
}

function readEntry(cursor: Cursor, key: string, fileBytes: number): Entry {
  const number = cursor.u32()
  if (number !== arrayTypeNumber) {
    const type = scalarType(number, key)
    const entry = { type, array: false, count: 1, at: cursor.at }
    cursor.pass(type, key)
    return entry
  }
  const type = scalarType(cursor.u32(), key)
  const most = Math.min(limits.arrayItems, Math.floor((fileBytes - cursor.at) / scalarBytes(type)))
  const count = cursor.u64(most, `the number of items of '${shown(key)}'`)
  const entry = { type, array: true, count, at: cursor.at }
  if (type === 'string') for (let i = 0; i < count; i++) cursor.pass('string', key)
  else cursor.skip(count * scalarBytes(type))
  return entry
}

function scalarType(number: number, key: string): ScalarType {
  const type = number < arrayTypeNumber ? scalarTypes[number] : wideTypes[number - arrayTypeNumber - 1]
  if (type === undefined) throw broken(`'${shown(key)}' has the unknown value type ${number}`)
  return type
}

function readAlignment(cursor: Cursor, entries: ReadonlyMap<string, Entry>): number {
  const entry = entries.get('general.alignment')
  if (entry === undefined) return defaultAlignment
  const value = entry.type === 'u32' && !entry.array ? new Cursor(cursor.bytes, entry.at).u32() : 0
  if (value < 1 || value > 65_536 || (value & (value - 1)) !== 0)
    throw broken("'general.alignment' is not a power of two")
  return value
}

interface Claim {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From the start of the tensor data. */
  readonly offset: number
  readonly sizeBytes: number
}

function readClaim(cursor: Cursor): Claim {
  const name = cursor.string(limits.tensorNameBytes, 'a tensor name')
  const said = `tensor '${shown(name)}'`
  const dimensions = cursor.u32()
  if (dimensions < 1 || dimensions > limits.dimensions)
    throw broken(`${said} claims ${dimensions} dimensions, at most ${limits.dimensions} are possible`)
  const sizes = Array.from({ length: dimensions }, () => cursor.u64(Number.MAX_SAFE_INTEGER, `a dimension of ${said}`))
  const typeId = cursor.u32()
  const type = tensorTypes.get(typeId)
  if (type === undefined) throw broken(`${said} has the unknown type ${typeId}`)
  const offset = cursor.u64(Number.MAX_SAFE_INTEGER, `the offset of ${said}`)
  if (sizes.includes(0)) throw broken(`${said} has a dimension of size 0`)
  if ((sizes[0] as number) % type.items !== 0) throw broken(`${said}: its rows are not whole blocks of ${type.name}`)
  const items = sizes.reduce((product, size) => product * BigInt(size), 1n)
  const sizeBytes = (items / BigInt(type.items)) * BigInt(type.bytes)
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`${said} claims to be larger than any file`)
  return { name, shape: sizes.reverse(), type, offset, sizeBytes: Number(sizeBytes) }
}

/** Tensors follow one another without gaps but the padding, as llama.cpp demands, and end within the file. */
function placed(claims: readonly Claim[], headerBytes: number, alignment: number, fileBytes: number): TensorInfo[] {
  const start = Math.ceil(headerBytes / alignment) * alignment
  let expected = 0
  return claims.map(({ offset, ...claim }) => {
    if (offset !== expected) throw broken(`tensor '${shown(claim.name)}' does not follow the one before it`)
    if (start + offset + claim.sizeBytes > fileBytes)
      throw broken(`tensor '${shown(claim.name)}' reaches beyond the end of the file: it is incomplete`)
    expected = offset + Math.ceil(claim.sizeBytes / alignment) * alignment
    return { ...claim, offset: start + offset }
  })
}

/** Little-endian reading with a check before every step. */
class Cursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** The position before the skip. */
  skip(count: number): number {
    const at = this.at
    if (count > this.bytes.length - at) throw new OutOfBytes()
    this.at = at + count
    return at
  }

  ascii(count: number): string {
    const at = this.skip(count)
    return this.bytes.toString('latin1', at, at + count)
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4))
  }

  /** A 64-bit count or length; above `most` it is refused before anything is reserved for it. */
  u64(most: number, what: string): number {
    const at = this.skip(8)
    const value = this.bytes.readUInt32LE(at + 4) * 2 ** 32 + this.bytes.readUInt32LE(at)
    if (value > most) throw broken(`${what} is ${value}, more than the possible ${most}`)
    return value
  }

  string(mostBytes: number, what: string): string {
    const length = this.u64(mostBytes, `the length of ${what}`)
    const at = this.skip(length)
    return this.bytes.toString('utf8', at, at + length)
  }

  /** Passes over a value without decoding it. */
  pass(type: ScalarType, key: string): void {
    const length = type === 'string' ? this.u64(limits.stringBytes, `the length of a string in '${shown(key)}'`) : 0
    this.skip(type === 'string' ? length : scalarBytes(type))
  }

  number(type: ScalarType): number {
    const at = this.skip(scalarBytes(type))
    switch (type) {
      case 'u8':
        return this.bytes.readUInt8(at)
      case 'i8':
        return this.bytes.readInt8(at)
      case 'u16':
        return this.bytes.readUInt16LE(at)
      case 'i16':
        return this.bytes.readInt16LE(at)
      case 'u32':
        return this.bytes.readUInt32LE(at)
      case 'i32':
        return this.bytes.readInt32LE(at)
      case 'f32':
        return this.bytes.readFloatLE(at)
      case 'u64':
        return Number(this.bytes.readBigUInt64LE(at))
      case 'i64':
        return Number(this.bytes.readBigInt64LE(at))
      case 'f64':
        return this.bytes.readDoubleLE(at)
      case 'bool':
      case 'string':
        throw broken(`a ${type} stands where a number belongs`)
    }
  }
}

/** The bytes at hand end before the header does. */
class OutOfBytes extends Error {}

async function readStart(file: FileHandle, wanted: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(wanted)
  let at = 0
  while (at < wanted) {
    const { bytesRead } = await file.read(bytes, at, wanted - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

const broken = (detail: string) => new Error(`Not a usable GGUF file: ${detail}.`)

/** A name from the file, fit for a message. */
const shown = (name: string) => name.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
