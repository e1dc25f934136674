/**
 * The vocabulary of GGUF files, version 3: value types of the key-value section and storage types of tensors.
 * Source: the GGUF specification in ggml (docs/gguf.md) and the block sizes of ggml's type table.
 */

/** The types a metadata value (or an item of an array) can have. */
export type ScalarType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'bool' | 'string' | 'u64' | 'i64' | 'f64'

/** In the order of their numbers in the file. Number 9 is the array; the wide types follow it. */
export const scalarTypes: readonly ScalarType[] = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string']
export const wideTypes: readonly ScalarType[] = ['u64', 'i64', 'f64']

/** The number of the array type. */
export const arrayTypeNumber = 9

/** A value as it is written. `u64` and `i64` take a bigint, since a number cannot hold all of them. */
export type MetadataValue =
  | { readonly type: 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64'; readonly value: number }
  | { readonly type: 'u64' | 'i64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'i32s' | 'u32s' | 'f32s'; readonly value: readonly number[] }

/** Short forms for tables of metadata: `{'llama.block_count': u32(2), 'general.name': text('tiny')}`. */
export const u32 = (value: number): MetadataValue => ({ type: 'u32', value })
export const i32 = (value: number): MetadataValue => ({ type: 'i32', value })
export const f32 = (value: number): MetadataValue => ({ type: 'f32', value })
export const flag = (value: boolean): MetadataValue => ({ type: 'bool', value })
export const text = (value: string): MetadataValue => ({ type: 'string', value })
export const texts = (value: readonly string[]): MetadataValue => ({ type: 'strings', value })
export const i32s = (value: readonly number[]): MetadataValue => ({ type: 'i32s', value })
export const f32s = (value: readonly number[]): MetadataValue => ({ type: 'f32s', value })

/** Bytes of a scalar in the file; a string has at least its 8 bytes of length. */
export function scalarBytes(type: ScalarType): number {
  switch (type) {
    case 'u8':
    case 'i8':
    case 'bool':
      return 1
    case 'u16':
    case 'i16':
      return 2
    case 'u32':
    case 'i32':
    case 'f32':
      return 4
    case 'u64':
    case 'i64':
    case 'f64':
    case 'string':
      return 8
  }
}

/** How a tensor is stored: `bytes` for each block of `items` numbers along a row. */
export interface TensorType {
  readonly id: number
  readonly name: string
  readonly items: number
  readonly bytes: number
}

const tensorTypeRows: readonly (readonly [id: number, name: string, items: number, bytes: number])[] = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 36],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
]

/** By the number in the file. Numbers that are absent are unknown or were withdrawn by ggml. */
export const tensorTypes: ReadonlyMap<number, TensorType> = new Map(
  tensorTypeRows.map(([id, name, items, bytes]) => [id, { id, name, items, bytes }]),
)

/** The GGUF magic as bytes. */
export const magic = 'GGUF'

/** Tensor data starts, and each tensor starts, at a multiple of this unless `general.alignment` says otherwise. */
export const defaultAlignment = 32
