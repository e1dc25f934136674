import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { decode } from './quantize.ts'
import { readGguf } from './read.ts'
import { f32, f32s, flag, i32, i32s, text, texts, u32 } from './types.ts'
import { type GgufSource, pieces, writeGguf } from './write.ts'

const source: GgufSource = {
  metadata: {
    'general.architecture': text('llama'),
    'a.number': u32(4_000_000_000),
    'a.negative': i32(-5),
    'a.fraction': f32(0.5),
    'a.flag': flag(true),
    'a.wide': { type: 'u64', value: 2n ** 40n },
    'a.small': { type: 'i8', value: -3 },
    'some.texts': texts(['one', '', 'Ġzwölf', '世界🙂']),
    'some.numbers': i32s([1, -2, 3]),
    'some.scores': f32s([0.25, -1]),
    long: text('x'.repeat(10_000)),
  },
  tensors: [
    { name: 'matrix', shape: [2, 32], storage: 'Q8_0', data: Float32Array.from({ length: 64 }, (_, i) => i) },
    { name: 'vector', shape: [3], storage: 'Q8_0', data: () => Float32Array.of(1, 2, 3) },
    { name: 'halves', shape: [1, 5], storage: 'F16', data: Float32Array.of(1, 2, 3, 4, 5) },
  ],
}

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gguf-'))
  try {
    await check(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('writing GGUF', () => {
  it('gives back what was written', () =>
    inFolder(async folder => {
      const path = join(folder, 'a.gguf')
      await writeGguf(path, source)
      const file = await open(path)
      try {
        const header = await readGguf(file)
        assert.equal(header.version, 3)
        assert.deepEqual(header.keys(), Object.keys(source.metadata))
        assert.equal(header.number('a.number'), 4_000_000_000)
        assert.equal(header.number('a.negative'), -5)
        assert.equal(header.number('a.fraction'), 0.5)
        assert.equal(header.number('a.wide'), 2 ** 40)
        assert.equal(header.number('a.small'), -3)
        assert.equal(header.flag('a.flag'), true)
        assert.deepEqual(header.texts('some.texts'), ['one', '', 'Ġzwölf', '世界🙂'])
        assert.deepEqual(header.numbers('some.numbers'), [1, -2, 3])
        assert.deepEqual(header.numbers('some.scores'), [0.25, -1])
        assert.equal(header.text('long')?.length, 10_000)
        assert.equal(header.text('absent'), undefined)
        assert.throws(() => header.text('a.number'), /unexpected type/)
        assert.deepEqual(
          header.tensors.map(({ name, shape, type, sizeBytes }) => [name, shape, type.name, sizeBytes]),
          [
            ['matrix', [2, 32], 'Q8_0', 68],
            ['vector', [3], 'F32', 12],
            ['halves', [1, 5], 'F16', 10],
          ],
        )
        const bytes = await readFile(path)
        const [matrix, vector, halves] = header.tensors
        for (const tensor of header.tensors) assert.equal(tensor.offset % 32, 0)
        assert.ok(matrix && vector && halves)
        assert.deepEqual([...decode(bytes.subarray(vector.offset, vector.offset + 12), 'F32')], [1, 2, 3])
        assert.deepEqual([...decode(bytes.subarray(halves.offset, halves.offset + 10), 'F16')], [1, 2, 3, 4, 5])
        assert.ok(Math.abs((decode(bytes.subarray(matrix.offset, matrix.offset + 68), 'Q8_0')[63] ?? 0) - 63) < 0.3)
      } finally {
        await file.close()
      }
    }))

  it('writes the same bytes to a path and to a stream, every time', () =>
    inFolder(async folder => {
      const path = join(folder, 'a.gguf')
      await writeGguf(path, source)
      const stream = new PassThrough({ highWaterMark: 16 })
      const [, streamed] = await Promise.all([writeGguf(stream, source), buffer(stream)])
      assert.deepEqual(await readFile(path), streamed)
      assert.deepEqual(Buffer.concat([...pieces(source)]), streamed)
    }))

  it('leaves no half file behind', () =>
    inFolder(async folder => {
      const bad = {
        ...source,
        tensors: [{ name: 'x', shape: [2, 2], storage: 'F32', data: new Float32Array(3) } as const],
      }
      await assert.rejects(writeGguf(join(folder, 'a.gguf'), bad), /3 numbers, its shape says 4/)
      assert.deepEqual(await readdir(folder), [])
    }))

  it('refuses what no reader could take', async () => {
    const tensor = { name: 'x', shape: [1, 32], storage: 'Q4_0', data: new Float32Array(32) } as const
    const write = (tensors: GgufSource['tensors'], metadata: GgufSource['metadata'] = {}) => [
      ...pieces({ metadata, tensors }),
    ]
    assert.throws(() => write([tensor, tensor]), /used twice/)
    assert.throws(() => write([{ ...tensor, name: 'x'.repeat(64) }]), /longer than 63/)
    assert.throws(() => write([{ ...tensor, shape: [2, 16] }]), /multiple of 32/)
    assert.throws(() => write([{ ...tensor, shape: [1, 1, 1, 1, 32] }]), /1 to 4 dimensions/)
    assert.throws(() => write([], { 'a.number': u32(-1) }), /out of range/)
  })
})
