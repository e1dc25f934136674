import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { fault } from '../../lib/faults.ts'
import type { Blobs, StageOptions } from './blobs.ts'

/** A place for blobs that is empty at first. */
export interface BlobPlace {
  open(): Promise<Blobs>
  remove(): Promise<void>
}

export const tooLarge = () => fault.fileTooLarge('file', 1)
const roomy: StageOptions = { bytesMax: 10_000_000, tooLarge }

export async function* pieces(...texts: (string | Uint8Array)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text as string)
}

export async function whole(bytes: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  if (bytes === undefined) return undefined
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return Buffer.concat(parts).toString('latin1')
}

async function names(blobs: Blobs): Promise<string[]> {
  const found: string[] = []
  for await (const { id } of blobs.list()) found.push(id)
  return found.sort()
}

/** What every backend for blobs promises. */
export function blobsContract(name: string, place: BlobPlace): void {
  describe(`blobs: ${name}`, () => {
    let blobs: Blobs
    before(async () => {
      blobs = await place.open()
    })
    after(() => place.remove())

    test('what was kept is read as it came, with its size and checksums, also after opening anew', async () => {
      const staged = await blobs.stage(pieces('one, ', '', 'two'), { ...roomy, md5: true })
      assert.equal(staged.sizeBytes, 8)
      assert.equal(staged.sha256, createHash('sha256').update('one, two').digest('hex'))
      assert.equal(staged.md5, createHash('md5').update('one, two').digest('hex'))
      await staged.keep()
      await staged.discard()
      for (const each of [blobs, await place.open()]) {
        const found = await each.read(staged.id)
        assert.equal(found?.sizeBytes, 8)
        assert.equal(await whole(found?.bytes), 'one, two')
      }
      await blobs.remove(staged.id)
    })

    test('bytes of any value and a file of none come back', async () => {
      const every = Buffer.from(Array.from({ length: 600_000 }, (_, at) => (at * 7) & 0xff))
      for (const bytes of [every, Buffer.alloc(0)]) {
        const staged = await blobs.stage(pieces(bytes), roomy)
        assert.equal(await whole(staged.read()), bytes.toString('latin1'), 'before it is kept')
        assert.equal(await whole(staged.read()), bytes.toString('latin1'), 'and again')
        await staged.keep()
        assert.equal(await whole((await blobs.read(staged.id))?.bytes), bytes.toString('latin1'))
        await blobs.remove(staged.id)
      }
    })

    test('bytes that pass through are the same, each piece until the next but one is asked for', async () => {
      const every = Buffer.from(Array.from({ length: 1_400_000 }, (_, at) => (at * 11) & 0xff))
      const staged = await blobs.stage(pieces(every), roomy)
      await staged.keep()
      const found = await blobs.read(staged.id, { passing: true })
      const sizes: number[] = []
      const seen = createHash('sha256')
      let held: Uint8Array | undefined
      for await (const piece of found!.bytes) {
        if (held !== undefined) seen.update(held)
        held = piece
        sizes.push(piece.length)
      }
      assert.equal(seen.update(held!).digest('hex'), staged.sha256)
      assert.ok(
        sizes.slice(0, -1).every(size => size >= 65_536),
        sizes.join(),
      )
      await blobs.remove(staged.id)
    })

    test('a range holds its bytes and no others', async () => {
      const staged = await blobs.stage(pieces('0123456789'), roomy)
      await staged.keep()
      const range = await blobs.read(staged.id, { range: { start: 3, end: 6 } })
      assert.equal(range?.sizeBytes, 10)
      assert.equal(await whole(range?.bytes), '345')
      await blobs.remove(staged.id)
    })

    test('nobody sees what is staged, and what is discarded is gone', async () => {
      const staged = await blobs.stage(pieces('x'), roomy)
      assert.deepEqual(await names(blobs), [])
      assert.equal(await blobs.read(staged.id), undefined)
      await staged.discard()
      await staged.discard()
      assert.equal(await blobs.sweep(Number.POSITIVE_INFINITY), 0)
    })

    test('more bytes than allowed are refused in the words of whoever asks, and leave nothing', async () => {
      await assert.rejects(blobs.stage(pieces('12', '34'), { bytesMax: 3, tooLarge }), /too large/)
      assert.equal((await blobs.stage(pieces('123'), { bytesMax: 3, tooLarge })).sizeBytes, 3)
      assert.equal(await blobs.sweep(Number.POSITIVE_INFINITY), 1, 'the second alone')
    })

    test('an error of the source passes, and leaves nothing', async () => {
      async function* broken() {
        yield Buffer.from('half')
        throw new RangeError('the source')
      }
      await assert.rejects(blobs.stage(broken(), roomy), RangeError)
      assert.equal(await blobs.sweep(Number.POSITIVE_INFINITY), 0)
    })

    test('the list holds what was kept, with its time; removing twice is no error', async () => {
      const staged = await Promise.all(['a', 'b', 'c'].map(text => blobs.stage(pieces(text), roomy)))
      await Promise.all(staged.map(each => each.keep()))
      assert.deepEqual(await names(blobs), staged.map(({ id }) => id).sort())
      for await (const { modifiedAtMs } of blobs.list()) assert.ok(Math.abs(modifiedAtMs - Date.now()) < 60_000)
      for (const { id } of [...staged, ...staged]) await blobs.remove(id)
      assert.deepEqual(await names(blobs), [])
    })

    test('whoever has begun to read reads on when it is removed', async () => {
      const staged = await blobs.stage(pieces('a'.repeat(600_000)), roomy)
      await staged.keep()
      const found = await blobs.read(staged.id)
      await blobs.remove(staged.id)
      assert.equal((await whole(found?.bytes))?.length, 600_000)
      assert.equal(await blobs.read(staged.id), undefined)
    })

    test('the sweep takes what was staged before a moment and never kept, and nothing else', async () => {
      const kept = await blobs.stage(pieces('kept'), roomy)
      await kept.keep()
      await blobs.stage(pieces('left'), roomy)
      assert.equal(await blobs.sweep(Date.now() - 60_000), 0, 'too young')
      assert.equal(await blobs.sweep(Number.POSITIVE_INFINITY), 1)
      assert.deepEqual(await names(blobs), [kept.id])
      await blobs.remove(kept.id)
    })

    test('what is no id of a blob is refused', async () => {
      for (const id of ['../../etc/passwd', '', 'blob_', `blob_${'a'.repeat(31)}/`, `blob_${'a'.repeat(31)}\0`])
        await assert.rejects(async () => blobs.read(id), /no id/)
    })
  })
}
