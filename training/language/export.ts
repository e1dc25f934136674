/**
 * Turns trained weights into the model file: `node export.ts --run FOLDER --out FILE.gguf [--name NAME] [--storage Q8_0]`.
 *
 * RUN holds what generate.ts and train.py wrote: vocabulary.json, weights.json and weights.bin (float32, tensors in a row).
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Storage } from '../../src/gguf/quantize.ts'
import { f32, flag, i32s, type MetadataValue, text, texts, u32 } from '../../src/gguf/types.ts'
import { type TensorSource, writeGguf } from '../../src/gguf/write.ts'
import { CHAT_TEMPLATE } from './chat.ts'
import { SPECIAL, type Vocabulary } from './tokenizer.ts'

interface Shape {
  readonly vocab: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly hidden: number
  readonly context: number
  readonly epsilon: number
  readonly ropeBase: number
  readonly tokensSeen: number
  readonly parameters: number
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[]
}

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'training/language/out' },
    weights: { type: 'string' },
    out: { type: 'string', default: 'models/parlance-tiny-1.gguf' },
    name: { type: 'string', default: 'parlance-tiny-1' },
    storage: { type: 'string', default: 'Q8_0' },
  },
})

const storages: readonly Storage[] = ['Q8_0', 'F16', 'F32']
const storage = storages.find(name => name === values.storage)
if (!storage) throw new RangeError(`unknown storage ${values.storage}`)
const weights = values.weights ?? values.run
const shape = JSON.parse(readFileSync(join(weights, 'weights.json'), 'utf8')) as Shape
const vocabulary = JSON.parse(readFileSync(join(values.run, 'vocabulary.json'), 'utf8')) as Vocabulary
if (vocabulary.tokens.length !== shape.vocab) throw new RangeError('vocabulary and weights are of different runs')

await writeGguf(values.out, { metadata: metadata(), tensors: tensors(storage) })
const hash = createHash('sha256').update(readFileSync(values.out)).digest('hex')
console.log(
  `${values.out}: ${statSync(values.out).size} bytes, ${shape.parameters} parameters, trained on ${shape.tokensSeen} tokens, sha256 ${hash}`,
)

function metadata(): Record<string, MetadataValue> {
  const { tokens, merges } = vocabulary
  return {
    'general.architecture': text('llama'),
    'general.name': text(values.name),
    'general.file_type': u32(storage === 'Q8_0' ? 7 : storage === 'F16' ? 1 : 0),
    'llama.vocab_size': u32(shape.vocab),
    'llama.context_length': u32(shape.context),
    'llama.embedding_length': u32(shape.width),
    'llama.block_count': u32(shape.layers),
    'llama.feed_forward_length': u32(shape.hidden),
    'llama.attention.head_count': u32(shape.heads),
    'llama.attention.head_count_kv': u32(shape.heads),
    'llama.attention.layer_norm_rms_epsilon': f32(shape.epsilon),
    'llama.rope.freq_base': f32(shape.ropeBase),
    'llama.rope.dimension_count': u32(shape.width / shape.heads),
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('qwen2'),
    'tokenizer.ggml.tokens': texts(tokens),
    'tokenizer.ggml.token_type': i32s(tokens.map(token => (SPECIAL.includes(token) ? 3 : 1))),
    'tokenizer.ggml.merges': texts(merges.map(pair => pair.join(' '))),
    'tokenizer.ggml.bos_token_id': u32(tokens.indexOf('<|endoftext|>')),
    'tokenizer.ggml.eos_token_id': u32(tokens.indexOf('<|im_end|>')),
    'tokenizer.ggml.eot_token_id': u32(tokens.indexOf('<|im_end|>')),
    'tokenizer.ggml.padding_token_id': u32(tokens.indexOf('<|endoftext|>')),
    'tokenizer.ggml.add_bos_token': flag(false),
    'tokenizer.chat_template': text(CHAT_TEMPLATE),
  }
}

/** Copies of the stretches of weights.bin, in the order of weights.json. */
function tensors(stored: Storage): TensorSource[] {
  const bytes = readFileSync(join(weights, 'weights.bin'))
  let at = 0
  return shape.tensors.map(({ name, shape: dimensions }) => {
    const count = dimensions.reduce((product, n) => product * n, 1)
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + count * 4))
    at += count * 4
    return { name, shape: dimensions, storage: stored, data }
  })
}
