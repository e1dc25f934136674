import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { assertError, encoded, type FilesDoor, openFiles } from './door.ts'

let door: FilesDoor
before(async () => {
  door = await openFiles()
})
after(() => door.close())

const body = { filename: 'notes.txt', purpose: 'assistants', bytes: 10, mime_type: 'text/plain' }
const begin = async (more: object = {}): Promise<string> =>
  (await door.ask('POST', '/v1/uploads', { body: { ...body, ...more } })).body.id
const add = (id: string, value: string | Buffer) =>
  door.send(`/v1/uploads/${id}/parts`, encoded([{ name: 'data', filename: 'blob', value }]))
const complete = (id: string, part_ids: string[], more: object = {}) =>
  door.ask('POST', `/v1/uploads/${id}/complete`, { body: { part_ids, ...more } })
const parts = async (id: string, ...values: string[]): Promise<string[]> => {
  const ids: string[] = []
  for (const value of values) ids.push((await add(id, value)).body.id)
  return ids
}

test('parts become a file in the order that is asked for, in whatever order they came', async () => {
  const { body: upload } = await door.ask('POST', '/v1/uploads', { body })
  const { id, ...facts } = upload
  assert.match(id, /^upload_[A-Za-z0-9]{24}$/)
  const created_at = 1_700_000_000
  assert.deepEqual(facts, {
    ...{ object: 'upload', bytes: 10, created_at, filename: 'notes.txt', purpose: 'assistants' },
    ...{ status: 'pending', expires_at: created_at + 3600 },
  })
  const added = await add(id, '56789')
  const { id: second, ...part } = added.body
  assert.match(second, /^part_[A-Za-z0-9]{24}$/)
  assert.deepEqual(part, { object: 'upload.part', created_at, upload_id: id })
  const [unused, first] = await parts(id, 'never used', '01234')
  assert.ok(unused)
  const md5 = createHash('md5').update('0123456789').digest('hex').toUpperCase()
  const { status, body: done } = await complete(id, [first!, second], { md5 })
  assert.equal(status, 200, JSON.stringify(done))
  const { file } = done
  assert.deepEqual(done, { ...upload, status: 'completed', file })
  assert.deepEqual((await door.ask('GET', `/v1/files/${file.id}`)).body, file)
  assert.equal((await door.content(file.id)).bytes.toString(), '0123456789')
  assert.equal((await door.blobsOnDisk(1)).length, 1, 'the parts are gone')
  await door.ask('DELETE', `/v1/files/${file.id}`)
})

test('what has ended takes nothing more', async () => {
  const ends: [name: string, end: (id: string, part: string) => Promise<unknown>][] = [
    ['completed', (id, part) => complete(id, [part])],
    ['cancelled', id => door.ask('POST', `/v1/uploads/${id}/cancel`)],
    ['expired', async () => door.clock.advance(3_600_000)],
  ]
  for (const [name, end] of ends) {
    const id = await begin()
    const [part] = await parts(id, '0123456789')
    await end(id, part!)
    for (const reply of [
      await add(id, 'x'),
      await complete(id, [part!]),
      await door.ask('POST', `/v1/uploads/${id}/cancel`),
    ]) {
      assertError(reply, 400, { code: 'invalid_upload' })
      assert.match(reply.body.error.message, new RegExp(`is ${name}`))
    }
  }
  await door.files.expire()
  const { data } = (await door.ask('GET', '/v1/files')).body
  assert.equal(data.length, 1)
  await door.ask('DELETE', `/v1/files/${data[0].id}`)
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('a cancelled upload shows itself as such, and its parts are gone', async () => {
  const id = await begin()
  await parts(id, 'abc')
  const { status, body: cancelled } = await door.ask('POST', `/v1/uploads/${id}/cancel`)
  assert.deepEqual([status, cancelled.status, cancelled.file], [200, 'cancelled', undefined])
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('parts that do not come to the file are refused, and can be mended', async () => {
  const id = await begin()
  const other = await begin()
  const [foreign] = await parts(other, '0123456789')
  const [short, rest] = await parts(id, '01234', '56789')
  const bad: [ids: string[], more: object, param: string][] = [
    [[short!], {}, 'part_ids'],
    [[short!, rest!, rest!], {}, 'part_ids'],
    [[short!, short!], {}, 'part_ids'],
    [[foreign!], {}, 'part_ids'],
    [['part_none'], {}, 'part_ids'],
    [[], {}, 'part_ids'],
    [[short!, rest!], { md5: '0'.repeat(32) }, 'md5'],
    [[short!, rest!], { md5: 'x' }, 'md5'],
  ]
  for (const [ids, more, param] of bad) assertError(await complete(id, ids, more), 400, { param })
  const done = await complete(id, [short!, rest!])
  assert.equal(done.status, 200, JSON.stringify(done.body))
  await door.ask('POST', `/v1/uploads/${other}/cancel`)
  await door.ask('DELETE', `/v1/files/${done.body.file.id}`)
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('of many who complete the same upload at once, one makes the file', async () => {
  const id = await begin()
  const [part] = await parts(id, '0123456789')
  const replies = await Promise.all(Array.from({ length: 5 }, () => complete(id, [part!])))
  const done = replies.filter(({ status }) => status === 200)
  assert.equal(done.length, 1, JSON.stringify(replies.map(reply => reply.body)))
  for (const reply of replies) if (reply.status !== 200) assertError(reply, 400, { code: 'invalid_upload' })
  assert.equal((await door.ask('GET', '/v1/files')).body.data.length, 1)
  await door.ask('DELETE', `/v1/files/${done[0]!.body.file.id}`)
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('JSON lines are checked when the upload is completed, and the file expires as was asked', async () => {
  const lines = { purpose: 'fine-tune', mime_type: 'text/jsonl', bytes: 8 }
  const id = await begin({ ...lines, expires_after: { anchor: 'created_at', seconds: 3600 } })
  const [bad, good] = await parts(id, '{"a":1}x', '{"a":1}\n')
  assertError(await complete(id, [bad!]), 400, { param: 'file', code: 'invalid_jsonl' })
  const { body: done } = await complete(id, [good!])
  assert.equal(done.file.expires_at, done.file.created_at + 3600)
  await door.ask('DELETE', `/v1/files/${done.file.id}`)
})

const refused: [name: string, more: Record<string, unknown>, param: string][] = [
  ['no name', { filename: '' }, 'filename'],
  ['a name with a line break', { filename: 'a\nb' }, 'filename'],
  ['a purpose of old times', { purpose: 'answers' }, 'purpose'],
  ['a purpose of the server', { purpose: 'batch_output' }, 'purpose'],
  ['no bytes', { bytes: 0 }, 'bytes'],
  ['more than 8 GiB', { bytes: 8_589_934_593 }, 'bytes'],
  ['half a byte', { bytes: 0.5 }, 'bytes'],
  ['no type', { mime_type: undefined }, 'mime_type'],
  ['what is no type', { mime_type: 'text' }, 'mime_type'],
  ['a text for vision', { purpose: 'vision' }, 'mime_type'],
  ['a picture for fine-tuning', { purpose: 'fine-tune', mime_type: 'image/png' }, 'mime_type'],
  ['an expiry that is too short', { expires_after: { anchor: 'created_at', seconds: 60 } }, 'expires_after.seconds'],
  ['an unknown field', { size: 1 }, 'size'],
]
for (const [name, more, param] of refused)
  test(`no upload begins with ${name}`, async () =>
    assertError(await door.ask('POST', '/v1/uploads', { body: { ...body, ...more } }), 400, { param }))

test('an upload needs the room for its file, and its parts count', async () => {
  const code = 'storage_quota_exceeded'
  assertError(await door.ask('POST', '/v1/uploads', { body: { ...body, bytes: 10_000_001 } }), 400, { code })
  const id = await begin({ bytes: 9_000_000 })
  const half = Buffer.alloc(4_500_000)
  const [one, two] = [await add(id, half), await add(id, half)]
  assert.deepEqual([one.status, two.status], [200, 200])
  assertError(await door.upload(Buffer.alloc(1_500_000)), 413)
  const done = await complete(id, [one.body.id, two.body.id])
  assert.equal(done.status, 200, JSON.stringify(done.body))
  await door.ask('DELETE', `/v1/files/${done.body.file.id}`)
})

test('the name of an upload is a name, not a path', async () => {
  const { body: upload } = await door.ask('POST', '/v1/uploads', { body: { ...body, filename: '../../etc/passwd' } })
  assert.equal(upload.filename, 'passwd')
  await door.ask('POST', `/v1/uploads/${upload.id}/cancel`)
})
