import { mkdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { f32, flag, i32s, text, texts, u32 } from '../src/gguf/types.ts'
import { type GgufSource, type TensorSource, writeGguf } from '../src/gguf/write.ts'
import { byteSymbols, normalNumbers, ones } from '../test/models/make.ts'

/**
 * A model of 494 million parameters with the shapes of Qwen2-0.5B and random weights: as much work as a real one, and nothing to
 * download. Nearly all of its tokens are five characters long, so that the text of a reply tells how many tokens it has.
 */

const vocabulary = 151_936
const dimensions = 896
const blocks = 24
const heads = 14
const keyHeads = 2
const feedForward = 4864
/** Tokens that end a reply, the last two of the vocabulary. */
export const endTokens = [vocabulary - 2, vocabulary - 1] as const
/** Characters of a token's text. */
export const tokenLength = 5
/** Ids from the first to before the second stand for plain text of that length. */
export const plainTokens = [129, vocabulary - 2] as const

/** The path of the file, written when it is first asked for; it lies in the temporary folder of the system. */
export async function halfBillionFile(): Promise<string> {
  const folder = join(tmpdir(), 'parlance-bench-models')
  const file = join(folder, 'half-billion-2.Q8_0.gguf')
  if ((await stat(file).catch(() => undefined)) === undefined) {
    await mkdir(folder, { recursive: true })
    await writeGguf(file, halfBillion())
  }
  return file
}

function halfBillion(): GgufSource {
  const matrix = matrices()
  const keys = (dimensions / heads) * keyHeads
  const tokens = tokenTexts()
  return {
    metadata: {
      'general.architecture': text('llama'),
      'general.name': text('half-billion'),
      'llama.vocab_size': u32(vocabulary),
      'llama.context_length': u32(32_768),
      'llama.embedding_length': u32(dimensions),
      'llama.block_count': u32(blocks),
      'llama.feed_forward_length': u32(feedForward),
      'llama.attention.head_count': u32(heads),
      'llama.attention.head_count_kv': u32(keyHeads),
      'llama.rope.dimension_count': u32(dimensions / heads),
      'llama.attention.layer_norm_rms_epsilon': f32(1e-6),
      'llama.rope.freq_base': f32(1_000_000),
      'tokenizer.ggml.model': text('gpt2'),
      'tokenizer.ggml.pre': text('gpt-2'),
      'tokenizer.ggml.tokens': texts(tokens),
      'tokenizer.ggml.token_type': i32s(tokens.map((_, id) => (id < plainTokens[1] ? 1 : 3))),
      'tokenizer.ggml.merges': texts(['Ġ 0']),
      'tokenizer.ggml.bos_token_id': u32(endTokens[0]),
      'tokenizer.ggml.eos_token_id': u32(endTokens[1]),
      'tokenizer.ggml.add_bos_token': flag(false),
    },
    tensors: [
      matrix('token_embd.weight', vocabulary, dimensions), // the output matrix too
      ones('output_norm.weight', dimensions),
      ...Array.from({ length: blocks }, (_, i) => [
        ones(`blk.${i}.attn_norm.weight`, dimensions),
        matrix(`blk.${i}.attn_q.weight`, dimensions, dimensions),
        matrix(`blk.${i}.attn_k.weight`, keys, dimensions),
        matrix(`blk.${i}.attn_v.weight`, keys, dimensions),
        matrix(`blk.${i}.attn_output.weight`, dimensions, dimensions),
        ones(`blk.${i}.ffn_norm.weight`, dimensions),
        matrix(`blk.${i}.ffn_gate.weight`, feedForward, dimensions),
        matrix(`blk.${i}.ffn_up.weight`, feedForward, dimensions),
        matrix(`blk.${i}.ffn_down.weight`, dimensions, feedForward),
      ]).flat(),
    ],
  }
}

/**
 * The bytes of ASCII, the product of the one merge, then ` 0000`, ` 0001`, … in base 36, then the ends. Other bytes would come by chance
 * and be no characters, at which llama-server breaks off a reply.
 */
function tokenTexts(): string[] {
  const plain = Array.from({ length: plainTokens[1] - plainTokens[0] }, (_, i) => `Ġ${i.toString(36).padStart(4, '0')}`)
  return [...byteSymbols().slice(0, 128), 'Ġ0', ...plain, '<|endoftext|>', '<|im_end|>']
}

/** Matrices of random numbers, each a stretch of the same million: making new ones would take minutes. */
function matrices(): (name: string, rows: number, columns: number) => TensorSource {
  const normal = normalNumbers(5)
  const pool = Float32Array.from({ length: 1_000_003 }, () => normal() * 0.02)
  let made = 0
  return (name, rows, columns) => {
    const start = (made++ * 7919) % pool.length
    const data = () => {
      const numbers = new Float32Array(rows * columns)
      for (let at = 0, from = start; at < numbers.length; from = 0) {
        const piece = pool.subarray(from, from + Math.min(pool.length - from, numbers.length - at))
        numbers.set(piece, at)
        at += piece.length
      }
      return numbers
    }
    return { name, shape: [rows, columns], storage: 'Q8_0', data }
  }
}
