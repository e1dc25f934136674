import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, rmdir, statfs, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { FormData, fetch } from 'undici'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const mebibyte = 1_048_576

/** A disk of its own that is 48 MiB large; undefined where this machine does not let us have one. */
async function smallDisk() {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-full-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=700', 'parlance-full', folder])
  } catch {
    await rmdir(folder)
    return undefined
  }
  const ballast = join(folder, 'ballast')
  return {
    dataDir: join(folder, 'data'),
    async freeBytes() {
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    },
    /** Leaves not a byte. */
    async fill() {
      const file = await open(ballast, 'w')
      try {
        for (let size = mebibyte; size >= 1; size /= 16)
          for (let more = true; more; )
            more = await file.write(Buffer.alloc(size)).then(
              ({ bytesWritten }) => bytesWritten > 0,
              () => false,
            )
      } finally {
        await file.close()
      }
    },
    relieve: () => unlink(ballast),
    async remove() {
      await run('umount', [folder])
      await rmdir(folder)
    },
  }
}

interface Answer {
  status: number
  body: { id: string; error?: { type: string; code: string | null; param: string | null; message: string } }
}

const asking = ({ url, key }: Product) => {
  const ask = async (method: string, path: string, body?: FormData | object): Promise<Answer> => {
    const isForm = body instanceof FormData
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(!isForm && body && { 'content-type': 'application/json' }) },
      ...(body && { body: isForm ? body : JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Answer['body'] }
  }
  return {
    ask,
    upload(sizeBytes: number): Promise<Answer> {
      const form = new FormData()
      form.set('purpose', 'user_data')
      form.set('file', new Blob([Buffer.alloc(sizeBytes, 7)]), 'a.bin')
      return ask('POST', '/v1/files', form)
    },
    async content(id: string): Promise<number> {
      const answer = await fetch(`${url}/v1/files/${id}/content`, { headers: { authorization: `Bearer ${key}` } })
      return (await answer.arrayBuffer()).byteLength
    },
    chat: () =>
      ask('POST', '/v1/chat/completions', {
        ...{ model: 'parlance-tiny-1', max_tokens: 20 },
        messages: [{ role: 'user', content: 'Count to 3' }],
      }),
  }
}

function assertNoRoom({ status, body: { error } }: Answer): void {
  assert.equal(status, 507, JSON.stringify(error))
  assert.deepEqual([error?.type, error?.code, error?.param], ['server_error', 'insufficient_storage', null])
  assert.match(error?.message ?? '', /no room/)
}

async function filesUnder(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).length
}

test('on a full disk what must be stored is refused, the rest goes on, and it heals when there is room', {
  timeout: 120_000,
}, async t => {
  const disk = await smallDisk()
  if (disk === undefined) return t.skip('this user may not mount a small disk')
  try {
    const product = await startProduct({ env: { PARLANCE_DATA_DIR: disk.dataDir } })
    try {
      await stages(product, disk)
      assert.match(product.printed().stderr, /"event":"store.failing","kind":"full"/)
      assert.match(product.printed().stderr, /"event":"store.recovered"/)
    } finally {
      await product.stop()
    }
    const database = new DatabaseSync(join(disk.dataDir, 'parlance.db'), { readOnly: true })
    assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' })
    database.close()
  } finally {
    await disk.remove()
  }
})

type Disk = NonNullable<Awaited<ReturnType<typeof smallDisk>>>

async function stages(product: Product, disk: Disk): Promise<void> {
  const { ask, upload, content, chat } = asking(product)
  const blobs = join(disk.dataDir, 'blobs')
  const { body: kept } = await upload(300_000)
  const freeBytes = await disk.freeBytes()

  assertNoRoom(await upload(60 * mebibyte))
  assert.equal(await filesUnder(blobs), 1, 'nothing of it stays')
  assert.ok((await disk.freeBytes()) > freeBytes - mebibyte, 'its room is free again')
  assert.equal((await upload(mebibyte)).status, 200, 'what fits is taken')

  await disk.fill()
  assert.equal(await disk.freeBytes(), 0)
  for (let time = 0; time < 3; time++) {
    assertNoRoom(await upload(300_000))
    assertNoRoom(await upload(1))
    assert.equal((await ask('GET', '/v1/files')).status, 200)
    assert.equal(await content(kept.id), 300_000)
    assert.equal((await chat()).status, 200)
  }
  assert.equal(await filesUnder(blobs), 2)
  await writesUntil(refused => refused, ask)
  assert.equal((await ask('GET', `/v1/files/${kept.id}`)).status, 200)
  assert.equal((await chat()).status, 200)

  await disk.relieve()
  await writesUntil(refused => !refused, ask)
  const { status, body: healed } = await upload(300_000)
  assert.equal(status, 200)
  assert.equal(await content(healed.id), 300_000)
  assert.equal((await ask('DELETE', `/v1/files/${kept.id}`)).status, 200)
  assert.equal((await chat()).status, 200)
}

/** Rows alone: the database may still have room in the pages that it holds, and needs a moment to notice new room. */
async function writesUntil(wanted: (refused: boolean) => boolean, ask: ReturnType<typeof asking>['ask']) {
  const about = { filename: 'a', purpose: 'user_data', mime_type: 'text/plain', bytes: 1 }
  for (let time = 0; time < 5000; time++) {
    const answer = await ask('POST', '/v1/uploads', about)
    if (answer.status !== 200) assertNoRoom(answer)
    if (wanted(answer.status !== 200)) return
  }
  assert.fail('it never comes to that')
}
