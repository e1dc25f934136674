import { f32, flag, i32s, text, texts, u32 } from '../../src/gguf/types.ts'
import type { GgufSource, TensorSource } from '../../src/gguf/write.ts'
import { normalNumbers, ones, tokenTypes, verse } from './make.ts'

export interface EncoderOptions {
  /** A number of llama.cpp: 1 mean, 2 the first token, 3 the last, 4 rank; undefined leaves it out. */
  pooling?: number
  /** Adds a head that scores: the more often the word stands in the text, the higher. */
  looksFor?: string
  /** The text around `{query}` and `{document}`. */
  pairTemplate?: string
  context?: number
}

/** A BERT of one block, with words of a verse as its tokens: each token attends to all tokens alike. */
export function encoderModel({ pooling, looksFor, pairTemplate, context = 128 }: EncoderOptions = {}): GgufSource {
  const dimensions = 64
  const feedForward = 64
  const words = [...new Set(verse.toLowerCase().match(/[a-z]{2,}/g))]
  const signs = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter(sign => !/[A-Z]/.test(sign))
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...[...signs, ...words].map(word => `\u2581${word}`), ...signs]
  const types = tokens.map((_, i) => (i === 1 ? 2 : i < 4 ? tokenTypes.control : tokenTypes.normal))
  const normal = normalNumbers(5)
  const random = (count: number) => Float32Array.from({ length: count }, () => normal())
  const embeddings = random(tokens.length * dimensions)
  const identity = Float32Array.from({ length: dimensions ** 2 }, (_, i) => (i % (dimensions + 1) === 0 ? 1 : 0))
  const matrix = (name: string, rows: number, data = new Float32Array(rows * dimensions)): TensorSource => ({
    name: `${name}.weight`,
    shape: [rows, data.length / rows],
    storage: 'F32',
    data,
  })
  const biased = (tensor: TensorSource): TensorSource[] => [
    tensor,
    {
      name: tensor.name.replace('.weight', '.bias'),
      shape: [tensor.shape[0] ?? 0],
      storage: 'F32',
      data: new Float32Array(tensor.shape[0] ?? 0),
    },
  ]
  const norm = (name: string) => biased(ones(`${name}.weight`, dimensions))
  const wanted = tokens.indexOf(`\u2581${looksFor}`) * dimensions
  return {
    metadata: {
      'general.architecture': text('bert'),
      'general.name': text('parlance-test-encoder'),
      'bert.context_length': u32(context),
      'bert.embedding_length': u32(dimensions),
      'bert.block_count': u32(1),
      'bert.feed_forward_length': u32(feedForward),
      'bert.attention.head_count': u32(2),
      'bert.attention.layer_norm_epsilon': f32(1e-12),
      'bert.attention.causal': flag(false),
      ...(pooling === undefined ? {} : { 'bert.pooling_type': u32(pooling) }),
      ...(pairTemplate === undefined ? {} : { 'tokenizer.chat_template.rerank': text(pairTemplate) }),
      'tokenizer.ggml.model': text('bert'),
      'tokenizer.ggml.pre': text('bert-bge'),
      'tokenizer.ggml.tokens': texts(tokens),
      'tokenizer.ggml.token_type': i32s(types),
      'tokenizer.ggml.token_type_count': u32(2),
      'tokenizer.ggml.padding_token_id': u32(0),
      'tokenizer.ggml.unknown_token_id': u32(1),
      'tokenizer.ggml.cls_token_id': u32(2),
      'tokenizer.ggml.seperator_token_id': u32(3), // spelt so in the format
    },
    tensors: [
      matrix('token_embd', tokens.length, embeddings),
      matrix(
        'position_embd',
        context,
        random(context * dimensions).map(value => value * 0.1),
      ),
      matrix('token_types', 2),
      ...norm('token_embd_norm'),
      ...biased(matrix('blk.0.attn_q', dimensions)),
      ...biased(matrix('blk.0.attn_k', dimensions)),
      ...biased(matrix('blk.0.attn_v', dimensions, identity)),
      ...biased(matrix('blk.0.attn_output', dimensions, identity)),
      ...norm('blk.0.attn_output_norm'),
      ...biased(matrix('blk.0.ffn_up', feedForward)),
      ...biased(matrix('blk.0.ffn_down', dimensions)),
      ...norm('blk.0.layer_output_norm'),
      ...(looksFor === undefined ? [] : biased(matrix('cls.output', 1, embeddings.slice(wanted, wanted + dimensions)))),
    ],
  }
}
