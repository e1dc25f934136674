import { crc32, deflateSync } from 'node:zlib'
import { f32, f32s, flag, text, u32 } from '../../src/gguf/types.ts'
import type { GgufSource, TensorSource } from '../../src/gguf/write.ts'
import { normalNumbers, ones } from './make.ts'

/**
 * A projector with random weights, in the form of LLaVA's: four patches of an image of 28 × 28 pixels become four tokens for a model
 * of `dimensions`. What a model then sees means nothing, but two images are two things.
 */
export function tinyProjector({ dimensions = 64, architecture = 'clip' } = {}): GgufSource {
  const normal = normalNumbers(23)
  const width = 32
  const patch = 14
  const matrix = (name: string, shape: number[], deviation = 0.2): TensorSource => ({
    name,
    shape,
    storage: 'F32',
    data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => normal() * deviation),
  })
  const zeros = (name: string, length: number): TensorSource => ({
    name,
    shape: [length],
    storage: 'F32',
    data: new Float32Array(length),
  })
  const linear = (name: string, rows: number, columns: number) => [
    matrix(`${name}.weight`, [rows, columns]),
    zeros(`${name}.bias`, rows),
  ]
  const norm = (name: string) => [ones(`${name}.weight`, width), zeros(`${name}.bias`, width)]
  return {
    metadata: {
      'general.architecture': text(architecture),
      'general.type': text('mmproj'),
      'clip.has_vision_encoder': flag(true),
      'clip.projector_type': text('mlp'),
      'clip.use_gelu': flag(true),
      'clip.vision.image_size': u32(2 * patch),
      'clip.vision.patch_size': u32(patch),
      'clip.vision.embedding_length': u32(width),
      'clip.vision.feed_forward_length': u32(2 * width),
      'clip.vision.projection_dim': u32(dimensions),
      'clip.vision.block_count': u32(2),
      'clip.vision.attention.head_count': u32(2),
      'clip.vision.attention.layer_norm_epsilon': f32(1e-5),
      'clip.vision.image_mean': f32s([0.5, 0.5, 0.5]),
      'clip.vision.image_std': f32s([0.5, 0.5, 0.5]),
    },
    tensors: [
      matrix('v.patch_embd.weight', [width, 3, patch, patch]),
      matrix('v.position_embd.weight', [4, width]),
      ...norm('v.pre_ln'),
      ...[0, 1].flatMap(i => [
        ...norm(`v.blk.${i}.ln1`),
        ...norm(`v.blk.${i}.ln2`),
        ...['attn_q', 'attn_k', 'attn_v', 'attn_out'].flatMap(name => linear(`v.blk.${i}.${name}`, width, width)),
        ...linear(`v.blk.${i}.ffn_up`, 2 * width, width),
        ...linear(`v.blk.${i}.ffn_down`, width, 2 * width),
      ]),
      ...linear('mm.0', dimensions, width),
      ...linear('mm.2', dimensions, dimensions),
    ],
  }
}

/** A PNG in one colour, as a data URL. */
export function plainImage([red, green, blue]: readonly [number, number, number], width = 28, height = 28): string {
  const row = Buffer.from([0, ...Array.from({ length: width }, () => [red, green, blue]).flat()])
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8) // 8 bits, colours without transparency
  const png = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(Array.from({ length: height }, () => row)))),
    chunk('IEND', Buffer.alloc(0)),
  ])
  return `data:image/png;base64,${png.toString('base64')}`
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}
