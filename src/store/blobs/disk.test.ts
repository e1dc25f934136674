import assert from 'node:assert/strict'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Fault } from '../../lib/faults.ts'
import { makeIds } from '../../lib/ids.ts'
import { systemRandom } from '../../lib/random.ts'
import { blobsContract, pieces, tooLarge } from './blobs.contract.ts'
import { type Disk, diskBlobs } from './disk.ts'

const ids = makeIds(systemRandom)
let root: string | undefined
blobsContract('a folder', {
  async open() {
    root ??= await fs.mkdtemp(join(tmpdir(), 'parlance-blobs-'))
    return diskBlobs({ folder: join(root, 'blobs'), ids })
  },
  async remove() {
    if (root !== undefined) await fs.rm(root, { recursive: true })
  },
})

/** A disk on which a step fails with a code of the system. */
function failing(step: 'write' | 'sync' | 'rename', code: string): Disk {
  const fail = async (): Promise<never> => {
    throw Object.assign(new Error(`${code}: no luck`), { code })
  }
  return {
    ...fs,
    rename: (from, to) => (step === 'rename' ? fail() : fs.rename(from, to)),
    async open(path, flags, mode) {
      const file = await fs.open(path, flags, mode)
      if (flags === 'wx' && step === 'write') file.writeFile = fail
      if (flags === 'wx' && step === 'sync') file.sync = fail
      return file
    },
  }
}

for (const [step, code, status] of [
  ['write', 'ENOSPC', 507],
  ['sync', 'ENOSPC', 507],
  ['rename', 'ENOSPC', 507],
  ['write', 'EDQUOT', 507],
  ['sync', 'EIO', 500],
] as const)
  test(`${code} at ${step} is a fault with status ${status}, and leaves nothing`, async () => {
    const root = await fs.mkdtemp(join(tmpdir(), 'parlance-blobs-'))
    const blobs = diskBlobs({ folder: root, ids, disk: failing(step, code) })
    const work = async () => {
      const staged = await blobs.stage(pieces('some', 'bytes'), { bytesMax: 100, tooLarge })
      await staged.keep().finally(() => staged.discard())
    }
    await assert.rejects(work(), error => error instanceof Fault && error.status === status)
    assert.deepEqual(await fs.readdir(join(root, 'incoming')), [])
    for await (const found of blobs.list()) assert.fail(found.id)
    await fs.rm(root, { recursive: true })
  })

test('files are for their owner alone, and folders too', async () => {
  const root = await fs.mkdtemp(join(tmpdir(), 'parlance-blobs-'))
  const blobs = diskBlobs({ folder: join(root, 'blobs'), ids })
  const staged = await blobs.stage(pieces('secret'), { bytesMax: 100, tooLarge })
  await staged.keep()
  const shelf = join(root, 'blobs', staged.id.slice(-2).toLowerCase())
  assert.equal((await fs.stat(shelf)).mode & 0o777, 0o700)
  assert.equal((await fs.stat(join(shelf, staged.id))).mode & 0o777, 0o600)
  await fs.rm(root, { recursive: true })
})
