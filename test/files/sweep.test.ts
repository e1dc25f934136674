import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pieces, tooLarge } from '../../src/store/blobs/blobs.contract.ts'
import { openFiles } from './door.ts'

test('the sweep removes what nobody refers to, and nothing else', async () => {
  const door = await openFiles()
  const { files, store } = door
  const stage = (text: string) => files.blobs.stage(pieces(text), { bytesMax: 100, tooLarge })
  try {
    const { body: file } = await door.upload('kept')
    await stage('a form that was cut by a kill')
    await (await stage('killed between the rename and the row')).keep()
    const { body: given } = await door.upload('killed between the row and the removal')
    const { blob_id: blobId } = await store.read
      .selectFrom('files')
      .select('blob_id')
      .where('id', '=', given.id)
      .executeTakeFirstOrThrow()
    await store.write([
      store.build.deleteFrom('files').where('id', '=', given.id),
      store.build.updateTable('blobs').set({ deleted_at: 1 }).where('id', '=', blobId),
    ])
    const strange = join(door.dataDir, 'blobs', 'zz')
    await mkdir(strange, { recursive: true })
    await writeFile(join(strange, 'notes of the operator.txt'), 'x')
    await files.sweep(0)
    assert.equal((await door.blobsOnDisk(4)).length, 4, 'what is young may be of a request that runs')
    await files.sweep(Number.POSITIVE_INFINITY)
    assert.equal((await door.blobsOnDisk(2)).length, 2)
    assert.equal((await door.content(file.id)).bytes.toString(), 'kept')
    assert.equal((await store.read.selectFrom('blobs').select('id').execute()).length, 1)
  } finally {
    await door.close()
  }
})

test('a sweep looks at many blobs in pieces', async () => {
  const door = await openFiles()
  try {
    const shelf = join(door.dataDir, 'blobs', 'aa')
    await mkdir(shelf, { recursive: true })
    for (let at = 0; at < 1203; at++) await writeFile(join(shelf, `blob_${String(at).padStart(30, '0')}aa`), '')
    const { body: file } = await door.upload('kept')
    await door.files.sweep(Number.POSITIVE_INFINITY)
    assert.equal((await door.blobsOnDisk(1)).length, 1)
    assert.equal((await door.content(file.id)).bytes.toString(), 'kept')
  } finally {
    await door.close()
  }
})
