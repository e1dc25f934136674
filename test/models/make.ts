import { createHash } from 'node:crypto'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Storage } from '../../src/gguf/quantize.ts'
import { f32, flag, i32s, type MetadataValue, text, texts, u32 } from '../../src/gguf/types.ts'
import { type GgufSource, pieces, type TensorSource } from '../../src/gguf/write.ts'
import { seededRandom } from '../../src/lib/random.ts'

/**
 * Small GGUF models for tests, written when they are needed: no weights, no vocabulary and no template of anybody else. They are
 * kept in the temporary folder of the system under the hash of their bytes.
 */

/** The path of a file with these bytes. */
export async function stored(bytes: Uint8Array): Promise<string> {
  const folder = join(tmpdir(), 'parlance-test-models')
  const path = join(folder, `${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}.gguf`)
  const there = await stat(path).catch(() => undefined)
  if (there?.size === bytes.length) return path
  await mkdir(folder, { recursive: true })
  const part = `${path}.${process.pid}.part`
  await writeFile(part, bytes)
  await rename(part, path)
  return path
}

/** The whole file in memory. */
export function bytesOf(source: GgufSource): Buffer {
  return Buffer.concat([...pieces(source)])
}

/** ChatML, with the system message where the caller put it. */
export const chatml =
  "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"

const specials = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
export const tokenTypes = { normal: 1, control: 3, userDefined: 4 } as const

export interface TinyOptions {
  seed?: number
  dimensions?: number
  blocks?: number
  storage?: Storage
  context?: number
  /** null leaves it out. */
  template?: string | null
  /** Makes it a model that embeds. A number of llama.cpp: 1 mean, 2 the first token, 3 the last. */
  pooling?: number
  /** Llama.cpp ends the process on such a file. */
  duplicateToken?: boolean
  /** Never ends a text of its own accord, at any temperature: for tests that count what comes. */
  endless?: boolean
}

/** A llama with random weights: any prompt gives meaningless text, greedy output repeats exactly. */
export function tinyModel(options: TinyOptions = {}): GgufSource {
  const { seed = 7, dimensions = 64, blocks = 2, storage = 'F32', context = 4096, template = chatml } = options
  const vocabulary = trained()
  if (options.duplicateToken) vocabulary.tokens[vocabulary.tokens.length - 1] = vocabulary.tokens.at(-2) ?? ''
  const tokens = [...vocabulary.tokens, ...specials]
  const types = tokens.map((_, i) => (i < vocabulary.tokens.length ? tokenTypes.normal : tokenTypes.control))
  const normal = normalNumbers(seed)
  const heads = 4
  const keyHeads = 2
  const feedForward = dimensions * 3
  const width = (dimensions / heads) * keyHeads
  const matrix = (name: string, rows: number, columns: number, deviation = 0.1): TensorSource => ({
    name,
    shape: [rows, columns],
    storage,
    data: Float32Array.from({ length: rows * columns }, () => normal() * deviation),
  })
  const source: GgufSource = {
    metadata: {
      ...sizes({ vocabulary: tokens.length, context, dimensions, blocks, feedForward, heads, keyHeads }),
      ...(options.pooling === undefined ? {} : { 'llama.pooling_type': u32(options.pooling) }),
      ...tokenizer({
        tokens,
        types,
        merges: vocabulary.merges,
        endOfText: tokens.length - 3,
        end: tokens.length - 1,
        template,
      }),
    },
    tensors: [
      matrix('token_embd.weight', tokens.length, dimensions),
      matrix('output.weight', tokens.length, dimensions, 0.3),
      ones('output_norm.weight', dimensions),
      ...Array.from({ length: blocks }, (_, i) => [
        ones(`blk.${i}.attn_norm.weight`, dimensions),
        matrix(`blk.${i}.attn_q.weight`, dimensions, dimensions),
        matrix(`blk.${i}.attn_k.weight`, width, dimensions),
        matrix(`blk.${i}.attn_v.weight`, width, dimensions),
        matrix(`blk.${i}.attn_output.weight`, dimensions, dimensions),
        ones(`blk.${i}.ffn_norm.weight`, dimensions),
        matrix(`blk.${i}.ffn_gate.weight`, feedForward, dimensions),
        matrix(`blk.${i}.ffn_up.weight`, feedForward, dimensions),
        matrix(`blk.${i}.ffn_down.weight`, dimensions, feedForward),
      ]).flat(),
    ],
  }
  if (options.endless) forbidEnds(source.tensors, dimensions, [tokens.length - 3, tokens.length - 1])
  return source
}

/**
 * Makes dimension 0 a constant that no block changes, and has the rows of these tokens answer to it alone, far below zero: no other
 * logit comes near, whatever went before.
 */
function forbidEnds(tensors: readonly TensorSource[], dimensions: number, ends: readonly number[]): void {
  for (const { name, data } of tensors) {
    if (!(data instanceof Float32Array)) throw new Error(`${name} is not in memory`)
    if (name === 'token_embd.weight') for (let i = 0; i < data.length; i += dimensions) data[i] = 1
    else if (/attn_output|ffn_down/.test(name)) data.fill(0, 0, name.includes('ffn_down') ? dimensions * 3 : dimensions)
    else if (name === 'output.weight')
      for (const token of ends) {
        data.fill(0, token * dimensions, (token + 1) * dimensions)
        data[token * dimensions] = -100
      }
  }
}

/**
 * A model that recites. After its chat template, whatever the messages, the reply is these pieces, at any temperature: a text is one
 * token, bytes are one token each. The text that ends every generation prompt is a token of its own; token embeddings are one-hot, all
 * matrices are zero, and the output matrix is a table of what follows what. No token may come twice. A prompt with any other end makes
 * all tokens equally likely: at temperature 0 that is a NUL character for ever.
 */
export function scriptedModel(
  reply: readonly (string | Uint8Array)[],
  { template = chatml }: { template?: string } = {},
): GgufSource {
  const bytes = byteSymbols()
  const tokens = [...bytes, 'th', ...specials]
  const types: number[] = tokens.map((_, i) => (i <= bytes.length ? tokenTypes.normal : tokenTypes.control))
  const end = tokens.length - 1
  const chain: number[] = []
  for (const piece of ['<|im_start|>assistant\n', ...reply]) {
    if (typeof piece === 'string') {
      chain.push(tokens.push(piece) - 1)
      types.push(tokenTypes.userDefined)
    } else chain.push(...piece)
  }
  if (new Set(chain).size !== chain.length || new Set(tokens).size !== tokens.length)
    throw new Error('A scripted reply cannot hold the same token twice')
  const dimensions = 64 * Math.ceil(tokens.length / 64)
  const following = new Float32Array(tokens.length * dimensions)
  for (const [i, token] of chain.entries()) following[(chain[i + 1] ?? end) * dimensions + token] = 2
  const oneHot = new Float32Array(tokens.length * dimensions)
  for (let i = 0; i < tokens.length; i++) oneHot[i * dimensions + i] = 1
  const matrix = (
    name: string,
    rows: number,
    columns: number,
    data = new Float32Array(rows * columns),
  ): TensorSource => ({
    name,
    shape: [rows, columns],
    storage: 'F16',
    data,
  })
  const feedForward = 64
  return {
    metadata: {
      ...sizes({ vocabulary: tokens.length, context: 4096, dimensions, blocks: 1, feedForward, heads: 4, keyHeads: 4 }),
      ...tokenizer({ tokens, types, merges: ['t h'], endOfText: end - 2, end, template }),
    },
    tensors: [
      matrix('token_embd.weight', tokens.length, dimensions, oneHot),
      matrix('output.weight', tokens.length, dimensions, following),
      ones('output_norm.weight', dimensions),
      ones('blk.0.attn_norm.weight', dimensions),
      ones('blk.0.ffn_norm.weight', dimensions),
      ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map(name =>
        matrix(`blk.0.${name}.weight`, dimensions, dimensions),
      ),
      matrix('blk.0.ffn_gate.weight', feedForward, dimensions),
      matrix('blk.0.ffn_up.weight', feedForward, dimensions),
      matrix('blk.0.ffn_down.weight', dimensions, feedForward),
    ],
  }
}

/** A LoRA adapter with random weights for `tinyModel`. */
export function tinyAdapter(
  options: { seed?: number; dimensions?: number; architecture?: string; type?: string; block?: number } = {},
): GgufSource {
  const { seed = 11, dimensions = 64, architecture = 'llama', type = 'lora', block = 0 } = options
  const rank = 4
  const normal = normalNumbers(seed)
  const matrix = (name: string, rows: number, columns: number): TensorSource => ({
    name,
    shape: [rows, columns],
    storage: 'F32',
    data: Float32Array.from({ length: rows * columns }, () => normal() * 0.3),
  })
  return {
    metadata: {
      'general.architecture': text(architecture),
      'general.type': text('adapter'),
      'adapter.type': text(type),
      'adapter.lora.alpha': f32(2 * rank),
    },
    tensors: ['attn_q', 'attn_output'].flatMap(name => [
      matrix(`blk.${block}.${name}.weight.lora_a`, rank, dimensions),
      matrix(`blk.${block}.${name}.weight.lora_b`, dimensions, rank),
    ]),
  }
}

/** Files that are broken on purpose; the names say how. All but `numbers` must be refused, `numbers` (weights that are NaN) loads. */
export function brokenFiles(): Record<string, Buffer> {
  const good = bytesOf(tinyModel())
  const patched = (edit: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good)
    edit(bytes)
    return bytes
  }
  return {
    empty: Buffer.alloc(0),
    text: Buffer.from('hello world'),
    header: good.subarray(0, 200),
    truncated: good.subarray(0, good.length / 2),
    keys: patched(bytes => {
      for (let i = 24; i < 600; i += 7) bytes.writeUInt8(bytes.readUInt8(i) ^ 0x5a, i)
    }),
    tensorName: patched(bytes => {
      bytes.write('X', bytes.indexOf('blk.1.attn_q.weight') + 11)
    }),
    dimensions: patched(bytes => {
      bytes.writeUInt32LE(0x7fffffff, bytes.indexOf('token_embd.weight') + 'token_embd.weight'.length)
    }),
    duplicateToken: bytesOf(tinyModel({ duplicateToken: true })),
    numbers: patched(bytes => {
      for (let i = bytes.length - 200_000; i < bytes.length; i += 3) bytes.writeUInt8(0xff, i)
    }),
  }
}

/** The 256 symbols of a byte-level BPE: a visible Latin-1 byte is itself, every other byte takes the next code point from 256 on. */
export function byteSymbols(): string[] {
  let spare = 256
  const visible = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad)
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(visible(byte) ? byte : spare++))
}

export const verse = `Shall I compare thee to a summer's day? Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May, and summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines, and often is his gold complexion dimm'd;
And every fair from fair sometime declines, by chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade, nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade, when in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see, so long lives this, and this gives life to thee.`

/** A byte-level BPE of a few merges, trained on a verse. */
function trained(mergeCount = 96): { tokens: string[]; merges: string[] } {
  const symbols = byteSymbols()
  const words = verse.match(/ ?[A-Za-z]+| ?[^\sA-Za-z]+|\s+/g) ?? []
  let split = words.map(word => [...Buffer.from(word)].map(byte => symbols[byte] ?? ''))
  const merges: string[] = []
  const tokens = [...symbols]
  while (merges.length < mergeCount) {
    const counts = new Map<string, number>()
    for (const word of split)
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`
        if (!tokens.includes(pair.replace(' ', ''))) counts.set(pair, (counts.get(pair) ?? 0) + 1)
      }
    const [best] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    if (best === undefined) throw new Error('The verse is too short for so many merges')
    const [left = '', right = ''] = best[0].split(' ')
    merges.push(best[0])
    tokens.push(left + right)
    split = split.map(word => merged(word, left, right))
  }
  return { tokens, merges }
}

function merged(word: readonly string[], left: string, right: string): string[] {
  const out: string[] = []
  for (const symbol of word) {
    if (symbol === right && out.at(-1) === left) out.splice(-1, 1, left + right)
    else out.push(symbol)
  }
  return out
}

interface Sizes {
  vocabulary: number
  context: number
  dimensions: number
  blocks: number
  feedForward: number
  heads: number
  keyHeads: number
}

const sizes = (size: Sizes): Record<string, MetadataValue> => ({
  'general.architecture': text('llama'),
  'general.name': text('parlance-test'),
  'llama.vocab_size': u32(size.vocabulary),
  'llama.context_length': u32(size.context),
  'llama.embedding_length': u32(size.dimensions),
  'llama.block_count': u32(size.blocks),
  'llama.feed_forward_length': u32(size.feedForward),
  'llama.attention.head_count': u32(size.heads),
  'llama.attention.head_count_kv': u32(size.keyHeads),
  'llama.rope.dimension_count': u32(size.dimensions / size.heads),
  'llama.attention.layer_norm_rms_epsilon': f32(1e-5),
  'llama.rope.freq_base': f32(10_000),
})

interface Tokenizer {
  tokens: readonly string[]
  types: readonly number[]
  merges: readonly string[]
  endOfText: number
  end: number
  template: string | null
}

const tokenizer = ({ tokens, types, merges, endOfText, end, template }: Tokenizer): Record<string, MetadataValue> => ({
  'tokenizer.ggml.model': text('gpt2'),
  'tokenizer.ggml.pre': text('gpt-2'),
  'tokenizer.ggml.tokens': texts(tokens),
  'tokenizer.ggml.token_type': i32s(types),
  'tokenizer.ggml.merges': texts(merges),
  'tokenizer.ggml.bos_token_id': u32(endOfText),
  'tokenizer.ggml.eos_token_id': u32(end),
  'tokenizer.ggml.padding_token_id': u32(endOfText),
  'tokenizer.ggml.add_bos_token': flag(false),
  ...(template === null ? {} : { 'tokenizer.chat_template': text(template) }),
})

export const ones = (name: string, length: number): TensorSource => ({
  name,
  shape: [length],
  storage: 'F32',
  data: new Float32Array(length).fill(1),
})

/** Normally distributed numbers (Box and Muller), the same for the same seed. */
export function normalNumbers(seed: number): () => number {
  const random = seededRandom(seed)
  const uniform = () => (random.uint32() + 1) / 2 ** 32
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}
