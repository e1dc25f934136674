import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { blockItems, encode, type Storage } from './quantize.ts'
import {
  arrayTypeNumber,
  defaultAlignment,
  type MetadataValue,
  magic,
  type ScalarType,
  scalarTypes,
  tensorTypes,
  wideTypes,
} from './types.ts'

/** A tensor to write. Vectors (one dimension) are always stored as F32, whatever `storage` says, as llama.cpp expects of norms. */
export interface TensorSource {
  readonly name: string
  /** Outermost first, as in numpy and PyTorch: a matrix is `[rows, columns]`. The file holds them reversed. */
  readonly shape: readonly number[]
  readonly storage: Storage
  /** Row-major; a function is called when its turn comes, so that a large model need not be in memory at once. */
  readonly data: Float32Array | (() => Float32Array)
}

export interface GgufSource {
  /** In the order of the file; begin with `general.architecture`. */
  readonly metadata: Readonly<Record<string, MetadataValue>>
  readonly tensors: readonly TensorSource[]
}

/**
 * Writes a GGUF file, version 3. The same source gives the same bytes. A path is written beside itself (`<path>.part`), flushed and
 * then renamed, so that no reader ever sees half a file; a stream is ended.
 * @throws Error for shapes that do not fit the data or the storage, duplicate or overlong names, and numbers that are not finite.
 */
export async function writeGguf(target: string | Writable, source: GgufSource): Promise<void> {
  if (typeof target !== 'string') {
    const done = finished(target)
    for (const bytes of pieces(source)) if (!target.write(bytes)) await drained(target)
    target.end()
    return done
  }
  const part = `${target}.part`
  const handle = await open(part, 'w')
  try {
    for (const bytes of pieces(source)) await writeAll(handle, bytes)
    await handle.sync()
    await handle.close()
    await rename(part, target)
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(part, { force: true })
    throw error
  }
}

/** The header, then each tensor with its padding. */
export function* pieces(source: GgufSource): Generator<Uint8Array> {
  const sizes = source.tensors.map(tensorBytes)
  const header = encodeHeader(source, sizes)
  yield header
  yield padding(header.length)
  for (const [i, tensor] of source.tensors.entries()) {
    const values = typeof tensor.data === 'function' ? tensor.data() : tensor.data
    if (values.length !== count(tensor.shape))
      throw new Error(
        `GGUF: tensor '${tensor.name}' has ${values.length} numbers, its shape says ${count(tensor.shape)}`,
      )
    const bytes = encode(values, stored(tensor))
    if (bytes.length !== sizes[i]) throw new Error(`GGUF: tensor '${tensor.name}' has an unexpected size`)
    yield bytes
    yield padding(bytes.length)
  }
}

function encodeHeader({ metadata, tensors }: GgufSource, sizes: readonly number[]): Uint8Array {
  const out = new ByteWriter()
  const entries = Object.entries(metadata)
  out.bytes(Buffer.from(magic))
  out.u32(3)
  out.u64(tensors.length)
  out.u64(entries.length)
  for (const [key, value] of entries) {
    out.string(key)
    writeValue(out, value)
  }
  const names = new Set<string>()
  let offset = 0
  for (const [i, tensor] of tensors.entries()) {
    if (names.has(tensor.name) || Buffer.byteLength(tensor.name) > 63)
      throw new Error(`GGUF: the tensor name '${tensor.name}' is used twice or longer than 63 bytes`)
    names.add(tensor.name)
    out.string(tensor.name)
    out.u32(tensor.shape.length)
    for (const size of tensor.shape.toReversed()) out.u64(size)
    out.u32(typeId(stored(tensor)))
    out.u64(offset)
    offset += padded(sizes[i] as number)
  }
  return out.finish()
}

function writeValue(out: ByteWriter, value: MetadataValue): void {
  const array = (type: ScalarType, length: number) => {
    out.u32(arrayTypeNumber)
    out.u32(typeNumber(type))
    out.u64(length)
  }
  switch (value.type) {
    case 'strings':
      array('string', value.value.length)
      for (const item of value.value) out.string(item)
      return
    case 'i32s':
    case 'u32s':
    case 'f32s': {
      const type = value.type === 'i32s' ? 'i32' : value.type === 'u32s' ? 'u32' : 'f32'
      array(type, value.value.length)
      for (const item of value.value) out.number(type, item)
      return
    }
    default:
      out.u32(typeNumber(value.type))
  }
  switch (value.type) {
    case 'string':
      out.string(value.value)
      return
    case 'bool':
      out.number('u8', value.value ? 1 : 0)
      return
    case 'u64':
    case 'i64':
      out.wide(value.type, value.value)
      return
    default:
      out.number(value.type, value.value)
  }
}

const numberBytes = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, f64: 8 } as const
type NumberType = keyof typeof numberBytes

/** Little-endian numbers and strings into a buffer that grows by doubling. */
class ByteWriter {
  #buffer = Buffer.alloc(4096)
  #length = 0

  bytes(source: Uint8Array): void {
    const at = this.#room(source.length)
    this.#buffer.set(source, at)
  }

  u32(value: number): void {
    this.number('u32', value)
  }

  u64(value: number): void {
    this.wide('u64', BigInt(value))
  }

  /** Buffer's own range checks refuse a number that does not fit. */
  number(type: NumberType, value: number): void {
    const at = this.#room(numberBytes[type])
    switch (type) {
      case 'u8':
        this.#buffer.writeUInt8(value, at)
        return
      case 'i8':
        this.#buffer.writeInt8(value, at)
        return
      case 'u16':
        this.#buffer.writeUInt16LE(value, at)
        return
      case 'i16':
        this.#buffer.writeInt16LE(value, at)
        return
      case 'u32':
        this.#buffer.writeUInt32LE(value, at)
        return
      case 'i32':
        this.#buffer.writeInt32LE(value, at)
        return
      case 'f32':
        this.#buffer.writeFloatLE(value, at)
        return
      case 'f64':
        this.#buffer.writeDoubleLE(value, at)
    }
  }

  wide(type: 'u64' | 'i64', value: bigint): void {
    const at = this.#room(8)
    if (type === 'u64') this.#buffer.writeBigUInt64LE(value, at)
    else this.#buffer.writeBigInt64LE(value, at)
  }

  string(value: string): void {
    const bytes = Buffer.from(value)
    this.u64(bytes.length)
    this.bytes(bytes)
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #room(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length))
      larger.set(this.#buffer.subarray(0, at))
      this.#buffer = larger
    }
    return at
  }
}

function tensorBytes(tensor: TensorSource): number {
  const { name, shape } = tensor
  if (shape.length < 1 || shape.length > 4 || shape.some(size => !Number.isSafeInteger(size) || size < 1))
    throw new Error(`GGUF: tensor '${name}' needs 1 to 4 dimensions of at least 1, got [${shape}]`)
  const storage = stored(tensor)
  const type = tensorTypes.get(typeId(storage))
  const row = shape.at(-1) as number
  if (type === undefined || row % type.items !== 0)
    throw new Error(`GGUF: tensor '${name}': ${storage} needs rows of a multiple of ${blockItems} numbers, got ${row}`)
  return (count(shape) / type.items) * type.bytes
}

const stored = (tensor: TensorSource): Storage => (tensor.shape.length === 1 ? 'F32' : tensor.storage)
const typeId = (storage: Storage): number => ({ F32: 0, F16: 1, Q4_0: 2, Q8_0: 8 })[storage]
const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
const padded = (bytes: number) => Math.ceil(bytes / defaultAlignment) * defaultAlignment
const padding = (bytes: number) => new Uint8Array(padded(bytes) - bytes)

function typeNumber(type: ScalarType): number {
  const narrow = scalarTypes.indexOf(type)
  return narrow >= 0 ? narrow : arrayTypeNumber + 1 + wideTypes.indexOf(type)
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      stream.off('drain', settle)
      stream.off('error', settle)
      stream.off('close', closed)
      if (error instanceof Error) reject(error)
      else resolve()
    }
    const closed = () => settle(new Error('GGUF: the stream was closed while it was written'))
    stream.on('drain', settle)
    stream.on('error', settle)
    stream.on('close', closed)
  })
}
