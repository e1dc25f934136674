/**
 * Numbers as ggml stores them. The rounding is that of ggml's reference code (`quantize_row_q8_0_ref`, `quantize_row_q4_0_ref`), so
 * that a file written here holds the same bytes as one quantised by llama.cpp.
 */

/** What the writer can encode. */
export type Storage = 'F32' | 'F16' | 'Q8_0' | 'Q4_0'

export const blockItems = 32

/**
 * Encodes one row (or any run of whole rows) of numbers.
 * @throws Error when a block type is asked for and the count is not a multiple of 32, or when a number is not finite.
 */
export function encode(values: Float32Array, storage: Storage): Uint8Array {
  for (const value of values) if (!Number.isFinite(value)) throw new Error('GGUF: a weight is not a finite number')
  if (storage === 'F32') return encodeF32(values)
  if (storage === 'F16') return encodeF16(values)
  if (values.length % blockItems !== 0)
    throw new Error(`GGUF: ${storage} needs rows of a multiple of ${blockItems} numbers, got ${values.length}`)
  return storage === 'Q8_0' ? encodeQ8(values) : encodeQ4(values)
}

/** The inverse of `encode`, up to what the storage lost. */
export function decode(bytes: Uint8Array, storage: Storage): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (storage === 'F32') return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true))
  if (storage === 'F16')
    return Float32Array.from({ length: bytes.length / 2 }, (_, i) => fromHalf(view.getUint16(i * 2, true)))
  const blockBytes = storage === 'Q8_0' ? 34 : 18
  const values = new Float32Array((bytes.length / blockBytes) * blockItems)
  for (let block = 0; block * blockBytes < bytes.length; block++) {
    const at = block * blockBytes
    const scale = fromHalf(view.getUint16(at, true))
    for (let i = 0; i < blockItems; i++)
      values[block * blockItems + i] =
        scale * (storage === 'Q8_0' ? view.getInt8(at + 2 + i) : nibble(view.getUint8(at + 2 + (i % 16)), i) - 8)
  }
  return values
}

/** An IEEE half (binary16) of a number, rounded to nearest, ties to even; beyond its range it becomes infinity. */
export function toHalf(value: number): number {
  float[0] = value
  const bits = word[0] as number
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | roundedShift(subnormal(magnitude), 0)
  return sign | roundedShift(magnitude - 0x38000000, 13)
}

/** The number that a half stands for. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const float = new Float32Array(1)
const word = new Uint32Array(float.buffer)

/** `bits / 2^shift`, ties to even. */
function roundedShift(bits: number, shift: number): number {
  if (shift === 0) return bits
  const half = 1 << (shift - 1)
  const rest = bits & ((1 << shift) - 1)
  const whole = bits >>> shift
  return rest > half || (rest === half && (whole & 1) === 1) ? whole + 1 : whole
}

/** The fraction of a subnormal half for the bits of a float below 2^-14: counts of 2^-24, ties to even. */
function subnormal(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23)
  if (shift > 24) return 0
  return roundedShift((magnitude & 0x7fffff) | 0x800000, shift)
}

function encodeF32(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  values.forEach((value, i) => {
    view.setFloat32(i * 4, value, true)
  })
  return new Uint8Array(view.buffer)
}

function encodeF16(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2))
  values.forEach((value, i) => {
    view.setUint16(i * 2, toHalf(value), true)
  })
  return new Uint8Array(view.buffer)
}

/** Blocks of a half (the scale, max |x| / 127) and 32 signed bytes. */
function encodeQ8(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer((values.length / blockItems) * 34))
  for (let block = 0; block * blockItems < values.length; block++) {
    const items = values.subarray(block * blockItems, (block + 1) * blockItems)
    let largest = 0
    for (const item of items) largest = Math.max(largest, Math.abs(item))
    const scale = Math.fround(largest / 127)
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
    view.setUint16(block * 34, toHalf(scale), true)
    items.forEach((item, i) => {
      view.setInt8(block * 34 + 2 + i, roundAway(Math.fround(item * inverse)))
    })
  }
  return new Uint8Array(view.buffer)
}

/** Blocks of a half (the scale: the value of greatest magnitude / -8) and 16 bytes: item i low, item i + 16 high. */
function encodeQ4(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer((values.length / blockItems) * 18))
  for (let block = 0; block * blockItems < values.length; block++) {
    const items = values.subarray(block * blockItems, (block + 1) * blockItems)
    let extreme = 0
    for (const item of items) if (Math.abs(item) > Math.abs(extreme)) extreme = item
    const scale = Math.fround(extreme / -8)
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
    view.setUint16(block * 18, toHalf(scale), true)
    const quant = (item: number) => Math.min(15, Math.trunc(Math.fround(Math.fround(item * inverse) + 8.5)))
    for (let i = 0; i < 16; i++)
      view.setUint8(block * 18 + 2 + i, quant(items[i] as number) | (quant(items[i + 16] as number) << 4))
  }
  return new Uint8Array(view.buffer)
}

/** C's roundf: halves go away from zero, where Math.round sends -0.5 to 0. */
const roundAway = (value: number) => Math.sign(value) * Math.floor(Math.abs(value) + 0.5)

const nibble = (byte: number, item: number) => (item < 16 ? byte & 15 : byte >>> 4)
