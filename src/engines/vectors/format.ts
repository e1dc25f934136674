import { crc32 } from 'node:zlib'

/**
 * The file of a vector model. Numbers are little-endian.
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 8 | magic `PARLVEC\0` |
 * | 8 | 4 | u32 version, 1 |
 * | 12 | 4 | u32 length of the header, H |
 * | 16 | 4 | u32 CRC-32 of everything from offset 20 to the end |
 * | 20 | H | header, JSON in UTF-8, padded with spaces so that 20 + H is a multiple of 4 |
 * | 20 + H | 4 × tokens | f32 inverse document frequency of each token |
 * | | 4 × rows | f32 scale of each row; rows = tokens + pieces |
 * | | rows × semantic | int8 table: component = scale × value |
 * | | tokenBytes | UTF-8, the tokens joined by line feeds, most frequent first |
 * | | variantBytes | UTF-8, two characters per entry, form then folded form, without separator |
 *
 * Row i < tokens belongs to token i; row tokens + h belongs to the word pieces whose hash modulo `pieces` is h.
 */
export interface VectorFile {
  readonly header: VectorHeader
  readonly tokens: readonly string[]
  readonly idf: Float32Array
  readonly scales: Float32Array
  readonly table: Int8Array
  readonly variants: ReadonlyMap<string, string>
}

export interface VectorHeader {
  readonly name: string
  /** Components that carry meaning; they stand first. */
  readonly semantic: number
  /** Components that carry hashed words; they stand last. */
  readonly lexical: number
  readonly tokens: number
  readonly pieces: number
  readonly tokenBytes: number
  readonly variantBytes: number
  readonly blend: Blend
}

/** How the parts are weighed; tuned on the development split. */
export interface Blend {
  /** Share of the semantic part in the cosine of two texts, 0 to 1; the lexical part has the rest. */
  readonly semantic: number
  /** Inverse document frequency of a token that is not in the table. */
  readonly unknownIdf: number
  /** Lexical weight of the pieces of a word, beside the word itself at 1. */
  readonly pieces: number
  /** Lexical weights of single Han characters and of single digits; pairs and whole numbers stand at 1. */
  readonly han: number
  readonly digit: number
}

export const VERSION = 1
const MAGIC = Buffer.from('PARLVEC\0', 'latin1')
const FIXED = 20
const MAX_HEADER = 65_536
const MAX_ROWS = 1_000_000

/** Reads and checks a model file. The table stays a view of the buffer. Throws an Error that says what is wrong with the file. */
export function decodeVectors(file: Buffer): VectorFile {
  if (file.length < FIXED || !file.subarray(0, 8).equals(MAGIC))
    throw new Error('not a vector model: the file does not start with PARLVEC')
  const version = file.readUInt32LE(8)
  if (version !== VERSION) throw new Error(`vector model of version ${version}: this program reads version ${VERSION}`)
  const headerBytes = file.readUInt32LE(12)
  if (headerBytes > MAX_HEADER || FIXED + headerBytes > file.length)
    throw new Error('vector model is truncated: its header is incomplete')
  if (crc32(file.subarray(FIXED)) !== file.readUInt32LE(16))
    throw new Error('vector model is corrupt or truncated: its checksum is wrong')
  const header = readHeader(file.toString('utf8', FIXED, FIXED + headerBytes))
  const rows = header.tokens + header.pieces
  const sizes = [4 * header.tokens, 4 * rows, rows * header.semantic, header.tokenBytes, header.variantBytes]
  const expected = sizes.reduce((sum, size) => sum + size, FIXED + headerBytes)
  if (expected !== file.length)
    throw new Error(`vector model has ${file.length} bytes, its header promises ${expected}`)
  let end = FIXED + headerBytes
  const [idf, scales, table, words, variants] = sizes.map(size => {
    end += size
    return file.subarray(end - size, end)
  })
  if (!idf || !scales || !table || !words || !variants) throw new Error('vector model is truncated')
  const tokens = words.toString('utf8').split('\n')
  if (tokens.length !== header.tokens)
    throw new Error(`vector model lists ${tokens.length} tokens, its header promises ${header.tokens}`)
  return {
    header,
    tokens,
    idf: readFloats(idf),
    scales: readFloats(scales),
    table: new Int8Array(table.buffer, table.byteOffset, table.length),
    variants: readVariants(variants.toString('utf8')),
  }
}

/** The bytes of a model file; the reverse of `decodeVectors`. Counts and lengths in the header are taken from the content. */
export function encodeVectors(
  content: Omit<VectorFile, 'header'> & { name: string; semantic: number; lexical: number; blend: Blend },
): Buffer {
  const words = Buffer.from(content.tokens.join('\n'))
  const variants = Buffer.from([...content.variants].flat().join(''))
  const header: VectorHeader = {
    name: content.name,
    semantic: content.semantic,
    lexical: content.lexical,
    tokens: content.tokens.length,
    pieces: content.scales.length - content.tokens.length,
    tokenBytes: words.length,
    variantBytes: variants.length,
    blend: content.blend,
  }
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((4 - ((FIXED + json.length) % 4)) % 4, ' ')])
  const body = Buffer.concat([
    padded,
    writeFloats(content.idf),
    writeFloats(content.scales),
    Buffer.from(content.table),
    words,
    variants,
  ])
  const start = Buffer.alloc(FIXED)
  MAGIC.copy(start)
  start.writeUInt32LE(VERSION, 8)
  start.writeUInt32LE(padded.length, 12)
  start.writeUInt32LE(crc32(body), 16)
  return Buffer.concat([start, body])
}

function readHeader(json: string): VectorHeader {
  let header: unknown
  try {
    header = JSON.parse(json)
  } catch (cause) {
    throw new Error('vector model is corrupt: its header is not JSON', { cause })
  }
  if (!isHeader(header))
    throw new Error('vector model is corrupt: its header lacks a field or holds an impossible number')
  return header
}

function isHeader(value: unknown): value is VectorHeader {
  if (!isRecord(value) || typeof value.name !== 'string' || !isRecord(value.blend)) return false
  const counts = ['semantic', 'lexical', 'tokens', 'pieces', 'tokenBytes', 'variantBytes'].map(key => value[key])
  const { blend } = value
  const weights = ['semantic', 'unknownIdf', 'pieces', 'han', 'digit'].map(key => blend[key])
  return (
    counts.slice(0, 4).every(count => Number.isSafeInteger(count) && Number(count) > 0 && Number(count) <= MAX_ROWS) &&
    counts.slice(4).every(count => Number.isSafeInteger(count) && Number(count) >= 0) &&
    weights.every(weight => Number.isFinite(weight) && Number(weight) >= 0) &&
    Number(blend.semantic) <= 1
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function readFloats(bytes: Buffer): Float32Array {
  const floats = new Float32Array(bytes.length / 4)
  for (let i = 0; i < floats.length; i++) floats[i] = bytes.readFloatLE(4 * i)
  if (!floats.every(Number.isFinite)) throw new Error('vector model is corrupt: it holds a number that is not finite')
  return floats
}

function writeFloats(floats: Float32Array): Buffer {
  const bytes = Buffer.alloc(4 * floats.length)
  for (const [i, value] of floats.entries()) bytes.writeFloatLE(value, 4 * i)
  return bytes
}

function readVariants(text: string): Map<string, string> {
  const characters = [...text]
  const variants = new Map<string, string>()
  for (let i = 0; i + 1 < characters.length; i += 2) variants.set(characters[i] ?? '', characters[i + 1] ?? '')
  return variants
}
