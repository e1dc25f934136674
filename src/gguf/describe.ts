import type { ModelFile } from './check.ts'

/** What people ask of a model's file. */
export interface Description {
  readonly architecture: string
  /** Of all tensors. */
  readonly parameters: number
  /** As files are named after it, e.g. `Q4_K_M`. */
  readonly quantization: string
  readonly contextLength: number | undefined
  readonly embeddingLength: number | undefined
  readonly layers: number | undefined
  readonly vocabularySize: number
  readonly hasChatTemplate: boolean
  /** What its makers call it. */
  readonly title: string | undefined
  readonly license: string | undefined
}

/** `general.file_type`: llama.cpp's names for mixtures of tensor types (`llama_ftype` in llama.h). */
const fileTypes: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  19: 'IQ2_XXS',
  20: 'IQ2_XS',
  21: 'Q2_K_S',
  22: 'IQ3_XS',
  23: 'IQ3_XXS',
  24: 'IQ1_S',
  25: 'IQ4_NL',
  26: 'IQ3_S',
  27: 'IQ3_M',
  28: 'IQ2_S',
  29: 'IQ2_M',
  30: 'IQ4_XS',
  31: 'IQ1_M',
  32: 'BF16',
  36: 'TQ1_0',
  37: 'TQ2_0',
  38: 'MXFP4_MOE',
}

/** @throws Error when a value has an unexpected type */
export function describeModel({
  header,
  architecture,
  contextLength,
  vocabularySize,
  chatTemplate,
}: ModelFile): Description {
  return {
    architecture,
    parameters: header.tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    quantization: fileTypes[header.number('general.file_type') ?? -1] ?? mostOf(header),
    contextLength,
    embeddingLength: header.number(`${architecture}.embedding_length`),
    layers: header.number(`${architecture}.block_count`),
    vocabularySize,
    hasChatTemplate: chatTemplate !== undefined && chatTemplate !== '',
    title: header.text('general.name'),
    license: header.text('general.license'),
  }
}

/** The tensor type that holds most of the bytes, for a file that does not say. */
function mostOf({ tensors }: ModelFile['header']): string {
  const bytes = new Map<string, number>()
  for (const { type, sizeBytes } of tensors) bytes.set(type.name, (bytes.get(type.name) ?? 0) + sizeBytes)
  const [most] = [...bytes].sort(([, one], [, other]) => other - one)
  return most?.[0] ?? 'none'
}
