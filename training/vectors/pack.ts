/** Packs the trained rows into the model file: `node pack.ts <work folder> <model file> [rows file]`. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Blend } from '../../src/engines/vectors/format.ts'
import { encodeVectors } from '../../src/engines/vectors/format.ts'

const NAME = 'parlance-embed-1'
const SEMANTIC = 256
const LEXICAL = 1280
/** Chosen on the development split with `evaluate.ts --tune`. */
const BLEND: Blend = { semantic: 0.5, unknownIdf: 8, pieces: 2, han: 1.5, digit: 0.5 }

function pack(work: string, target: string, rowsFile: string): void {
  const settings: { tokens: number; pieces: number } = JSON.parse(readFileSync(join(work, 'settings.json'), 'utf8'))
  const rows = floats(readFileSync(join(work, rowsFile)))
  const { scales, table } = quantise(rows, settings.tokens + settings.pieces)
  const file = encodeVectors({
    name: NAME,
    semantic: SEMANTIC,
    lexical: LEXICAL,
    blend: BLEND,
    tokens: readFileSync(join(work, 'tokens.txt'), 'utf8').split('\n'),
    idf: floats(readFileSync(join(work, 'idf.f32'))).map(value => Math.fround(Math.round(value * 1000) / 1000)),
    scales,
    table,
    variants: new Map(
      readFileSync(new URL('variants.txt', import.meta.url), 'utf8')
        .trim()
        .split('\n')
        .map(line => [...line] as [string, string]),
    ),
  })
  writeFileSync(target, file)
  console.log(`${target}: ${file.length} bytes, sha256 ${createHash('sha256').update(file).digest('hex')}`)
}

/** Eight bits per component, with a scale per row so that its largest component becomes 127. */
function quantise(rows: Float32Array, count: number): { scales: Float32Array; table: Int8Array } {
  const scales = new Float32Array(count)
  const table = new Int8Array(count * SEMANTIC)
  for (let row = 0; row < count; row++) {
    const values = rows.subarray(row * SEMANTIC, (row + 1) * SEMANTIC)
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-9) / 127
    scales[row] = scale
    values.forEach((value, i) => {
      table[row * SEMANTIC + i] = Math.round(value / scale)
    })
  }
  return { scales, table }
}

function floats(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i))
}

const [workFolder, modelFile, rowsFile = 'rows.f32'] = process.argv.slice(2)
if (!workFolder || !modelFile) throw new Error('usage: pack.ts <work folder> <model file> [rows file]')
pack(workFolder, modelFile, rowsFile)
