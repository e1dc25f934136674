import assert from 'node:assert/strict'
import { readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { assertError, encoded, type FilesDoor, openFiles } from './door.ts'

let door: FilesDoor
before(async () => {
  door = await openFiles()
})
after(() => door.close())

for (const order of ['file first', 'purpose first'])
  test(`a file comes back as it was sent, ${order}`, async () => {
    const value = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 31) & 0xff))
    const parts = [
      { name: 'file', filename: 'data.bin', value },
      { name: 'purpose', value: 'user_data' },
    ]
    const { status, body } = await door.send('/v1/files', encoded(order === 'file first' ? parts : parts.reverse()))
    assert.equal(status, 200, JSON.stringify(body))
    const { id, ...facts } = body
    assert.match(id, /^file-[A-Za-z0-9]{22}$/)
    assert.deepEqual(facts, {
      ...{ object: 'file', bytes: 300_000, created_at: 1_700_000_000, filename: 'data.bin', purpose: 'user_data' },
      ...{ status: 'processed', status_details: null },
    })
    assert.deepEqual((await door.ask('GET', `/v1/files/${id}`)).body, body)
    const content = await door.content(id)
    assert.ok(content.bytes.equals(value))
    assert.equal(content.headers['content-length'], '300000')
    assert.equal(content.headers['content-type'], 'application/octet-stream')
    assert.equal(content.headers['content-disposition'], 'attachment; filename="data.bin"')
    assert.equal(content.headers['x-content-type-options'], 'nosniff')
    assert.equal(content.headers['content-security-policy'], 'sandbox')
    const deleted = await door.ask('DELETE', `/v1/files/${id}`)
    assert.deepEqual(deleted.body, { id, object: 'file', deleted: true })
    const missing = { message: `No such File object: ${id}`, param: 'id' }
    assertError(await door.ask('GET', `/v1/files/${id}`), 404, missing)
    assertError(await door.ask('GET', `/v1/files/${id}/content`), 404, missing)
    assertError(await door.ask('DELETE', `/v1/files/${id}`), 404, missing)
    assert.deepEqual(await door.blobsOnDisk(0), [])
  })

test('an empty file is a file', async () => {
  const { body } = await door.upload('')
  assert.equal(body.bytes, 0)
  assert.equal((await door.content(body.id)).bytes.length, 0)
  await door.ask('DELETE', `/v1/files/${body.id}`)
})

test('purposes: those of uploads are taken, those of the server and of old times are not', async () => {
  for (const purpose of ['assistants', 'vision', 'user_data', 'evals']) {
    const { status, body } = await door.upload('x', { purpose })
    assert.deepEqual([status, body.purpose], [200, purpose])
    await door.ask('DELETE', `/v1/files/${body.id}`)
  }
  for (const purpose of ['assistants_output', 'batch_output', 'fine-tune-results', 'nonsense', ''])
    assertError(await door.upload('x', { purpose }), 400, { param: 'purpose', code: 'invalid_value' })
  for (const purpose of ['search', 'answers', 'classifications']) {
    const reply = await door.upload('x', { purpose })
    assertError(reply, 400, { param: 'purpose', code: 'purpose_not_supported' })
    assert.match(reply.body.error.message, new RegExp(`'${purpose}'.*embeddings`))
  }
  assertError(await door.send('/v1/files', encoded([{ name: 'file', value: 'x' }])), 400, { param: 'purpose' })
  assertError(await door.send('/v1/files', encoded([{ name: 'purpose', value: 'vision' }])), 400, { param: 'file' })
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('files for fine-tuning and batches are JSON lines, and the first wrong line is named', async () => {
  for (const purpose of ['fine-tune', 'batch']) {
    const good = await door.upload('\ufeff{"a": 1}\r\n\r\n{"b": 2}', { purpose })
    assert.equal(good.status, 200, JSON.stringify(good.body))
    await door.ask('DELETE', `/v1/files/${good.body.id}`)
    for (const [text, line] of [
      ['', 1],
      ['{"a": 1}\n[]', 2],
      ['{"a": 1}\n\n{"a": ', 3],
      [Buffer.from([0xff]), 1],
    ] as const) {
      const reply = await door.upload(text, { purpose })
      assertError(reply, 400, { param: 'file', code: 'invalid_jsonl' })
      assert.match(reply.body.error.message, new RegExp(`Line ${line}: `))
    }
  }
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('a line of 10 MB is refused by its number, and leaves nothing', async () => {
  const roomy = await openFiles({ quotaBytes: 100_000_000, fileBytesMax: 50_000_000 })
  try {
    const reply = await roomy.upload(`{"a":1}\n{"a":"${'x'.repeat(10_000_000)}"}\n{}`, { purpose: 'batch' })
    assertError(reply, 400, { param: 'file', code: 'invalid_jsonl' })
    assert.match(reply.body.error.message, /Line 2: The line is too long/)
    assert.deepEqual(await roomy.blobsOnDisk(0), [])
  } finally {
    await roomy.close()
  }
})

test('a file expires when it is to, those for batches after 30 days, and others never', async () => {
  const hour = { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '3600' }
  const [short, batch, never] = [
    await door.upload('x', hour),
    await door.upload('{}', { purpose: 'batch' }),
    await door.upload('y'),
  ].map(({ body }) => body)
  assert.equal(short.expires_at, short.created_at + 3600)
  assert.equal(batch.expires_at, batch.created_at + 2_592_000)
  assert.equal(never.expires_at, undefined)
  const found = async () => (await door.ask('GET', '/v1/files?order=asc')).body.data.map(({ id }: { id: string }) => id)
  assert.equal((await found()).length, 3)
  door.clock.advance(3_599_999)
  assert.equal((await door.ask('GET', `/v1/files/${short.id}`)).status, 200)
  door.clock.advance(1)
  assertError(await door.ask('GET', `/v1/files/${short.id}`), 404)
  assertError(await door.ask('GET', `/v1/files/${short.id}/content`), 404)
  assert.deepEqual((await found()).sort(), [batch.id, never.id].sort())
  assert.equal((await door.blobsOnDisk(3)).length, 3, 'hidden at once, removed later')
  await door.files.expire()
  assert.equal((await door.blobsOnDisk(2)).length, 2)
  door.clock.advance(2_592_000_000)
  await door.files.expire()
  assert.deepEqual(await found(), [never.id])
  await door.ask('DELETE', `/v1/files/${never.id}`)
  for (const [seconds, anchor] of [
    ['3599', 'created_at'],
    ['2592001', 'created_at'],
    ['soon', 'created_at'],
    ['3600', 'last_active_at'],
  ] as const) {
    const reply = await door.upload('x', { 'expires_after[anchor]': anchor, 'expires_after[seconds]': seconds })
    assertError(reply, 400)
    assert.match(reply.body.error.param, /^expires_after\./)
  }
  assertError(await door.upload('x', { 'expires_after[seconds]': '3600' }), 400, { param: 'expires_after.anchor' })
})

test('a list has the newest first, and every filter and cursor', async () => {
  const ids: string[] = []
  for (const purpose of ['vision', 'assistants', 'vision', 'assistants', 'vision']) {
    door.clock.advance(1000)
    ids.push((await door.upload(purpose, { purpose })).body.id)
  }
  const page = async (query: string) => {
    const { body } = await door.ask('GET', `/v1/files${query}`)
    const data = body.data.map(({ id }: { id: string }) => ids.indexOf(id))
    assert.equal(body.object, 'list')
    assert.deepEqual([body.first_id, body.last_id], [body.data[0]?.id ?? null, body.data.at(-1)?.id ?? null])
    return [data, body.has_more]
  }
  assert.deepEqual(await page(''), [[4, 3, 2, 1, 0], false])
  assert.deepEqual(await page('?order=asc&limit=2'), [[0, 1], true])
  assert.deepEqual(await page(`?order=asc&limit=2&after=${ids[1]}`), [[2, 3], true])
  assert.deepEqual(await page(`?limit=3&after=${ids[3]}`), [[2, 1, 0], false])
  assert.deepEqual(await page('?purpose=vision&limit=2'), [[4, 2], true])
  assert.deepEqual(await page(`?purpose=vision&limit=2&after=${ids[2]}`), [[0], false])
  assert.deepEqual(await page('?purpose=batch_output'), [[], false])
  assert.deepEqual(await page('?limit=10000'), [[4, 3, 2, 1, 0], false])
  for (const query of ['limit=0', 'limit=10001', 'order=up', 'purpose=x', 'after=file-none', 'before=x', 'page=2'])
    assertError(await door.ask('GET', `/v1/files?${query}`), 400)
  for (const id of ids) await door.ask('DELETE', `/v1/files/${id}`)
})

test('names are data: nothing is written but under ids of the server', async () => {
  const utf8 = "filename*=UTF-8''"
  const scenarios: [sent: string, kept: string, disposition: string][] = [
    ['../../etc/passwd', 'passwd', 'attachment; filename="passwd"'],
    ['..\\\\..\\\\boot.ini', 'boot.ini', 'attachment; filename="boot.ini"'],
    ['a;b.txt', 'a;b.txt', 'attachment; filename="a;b.txt"'],
    ['50%.txt', '50%.txt', `attachment; filename="50_.txt"; ${utf8}50%25.txt`],
    [
      'naïve 日本.txt',
      'naïve 日本.txt',
      `attachment; filename="na_ve __.txt"; ${utf8}na%C3%AFve%20%E6%97%A5%E6%9C%AC.txt`,
    ],
    ["it's (1).txt", "it's (1).txt", 'attachment; filename="it\'s (1).txt"'],
    ['...', '...', 'attachment; filename="..."'],
  ]
  for (const [sent, kept, disposition] of scenarios) {
    const { status, body } = await door.upload('x', {}, sent)
    assert.deepEqual([status, body.filename], [200, kept])
    assert.equal((await door.content(body.id)).headers['content-disposition'], disposition)
    await door.ask('DELETE', `/v1/files/${body.id}`)
  }
  for (const bad of ['a\0b', 'x'.repeat(1025), 'tab\there']) assertError(await door.upload('x', {}, bad), 400)
  const top = await readdir(door.dataDir)
  assert.deepEqual(
    top.filter(name => !/^(parlance\.db.*|blobs|backups)$/.test(name)),
    [],
  )
})

test('ids that lead elsewhere find nothing', async () => {
  for (const id of ['..', '../..', '../', '..\\', '\0', 'x'.repeat(300), '．．'])
    for (const path of ['', '/content']) {
      const { status } = await door.ask('GET', `/v1/files/${encodeURIComponent(id)}${path}`)
      assert.ok(status === 404 || status === 400, `${id}: ${status}`)
    }
})

test('a damaged file is an error of that file alone, and never ends as if it were whole', async () => {
  const replies = await Promise.all(['a', 'b', 'c'].map(letter => door.upload(letter.repeat(700_000))))
  const made = replies.map(({ body }) => body.id as string)
  const rows = await door.store.read.selectFrom('files').select(['id', 'blob_id']).execute()
  const path = (id: string) => {
    const blob = rows.find(row => row.id === id)!.blob_id
    return join(door.dataDir, 'blobs', blob.slice(-2).toLowerCase(), blob)
  }
  await truncate(path(made[0]!), 500_000)
  await writeFile(path(made[1]!), 'x'.repeat(700_000))
  assertError(await door.ask('GET', `/v1/files/${made[0]}/content`), 500, { code: 'file_damaged' })
  await assert.rejects(door.content(made[1]!), 'it breaks off')
  assert.equal((await door.content(made[2]!)).bytes.length, 700_000)
  for (const id of made) assert.equal((await door.ask('DELETE', `/v1/files/${id}`)).status, 200)
})

test('a file that is too large is refused, announced or not, and leaves nothing', async () => {
  const large = Buffer.alloc(2_000_001)
  assertError(await door.upload(large), 413, { param: 'file', code: 'file_too_large' })
  assert.equal((await door.upload(large.subarray(1))).status, 200)
  assertError(await door.upload(Buffer.alloc(4_000_000)), 413, { param: 'file', code: 'file_too_large' })
  for (const { id } of (await door.ask('GET', '/v1/files')).body.data) await door.ask('DELETE', `/v1/files/${id}`)
  assert.deepEqual(await door.blobsOnDisk(0), [])
})

test('the quota of a project holds, also for many at once', async () => {
  const tight = await openFiles({ quotaBytes: 1000, fileBytesMax: 800 })
  try {
    const replies = await Promise.all(Array.from({ length: 10 }, () => tight.upload('x'.repeat(300))))
    const accepted = replies.filter(({ status }) => status === 200)
    assert.equal(accepted.length, 3)
    for (const reply of replies)
      if (reply.status !== 200) assert.ok(['storage_quota_exceeded', 'file_too_large'].includes(reply.body.error.code))
    assert.equal((await tight.blobsOnDisk(3)).length, 3)
    assert.equal((await tight.upload('x'.repeat(100))).status, 200, 'to the last byte')
    assertError(await tight.upload('x'), 400, { code: 'storage_quota_exceeded' })
    await tight.ask('DELETE', `/v1/files/${accepted[0]!.body.id}`)
    assert.equal((await tight.upload('x'.repeat(300))).status, 200, 'a deleted file gives its room back')
  } finally {
    await tight.close()
  }
})

test('the same request with an Idempotency-Key makes one file; another file is another request', async () => {
  const parts = (value: string) => [
    { name: 'purpose', value: 'vision' },
    { name: 'file', filename: 'a', value },
  ]
  const send = (value: string) => door.send('/v1/files', encoded(parts(value)), { 'idempotency-key': 'once' })
  const [first, again, other] = [await send('one'), await send('one'), await send('two')]
  assert.equal(first.status, 200)
  assert.deepEqual(again.body, first.body)
  assert.equal(again.headers['idempotent-replayed'], 'true')
  assertError(other, 400, { code: 'idempotency_key_reused' })
  assert.equal((await door.blobsOnDisk(1)).length, 1)
  await door.ask('DELETE', `/v1/files/${first.body.id}`)
})

test('a key needs the scope, and is told before the file is sent', async () => {
  const { secret } = await door.keys.create({ name: 'reading', place: door.owner, scopes: 'read' })
  const headers = { authorization: `Bearer ${secret}` }
  assert.equal((await door.ask('GET', '/v1/files', { headers })).status, 200)
  const parts = [
    { name: 'purpose', value: 'vision' },
    { name: 'file', value: 'x' },
  ]
  const refused = await door.send('/v1/files', encoded(parts), headers)
  assertError(refused, 403, { code: 'missing_scope' })
  assert.match(refused.body.error.message, /api\.files\.write/)
})

test('Azure’s paths lead to the same files', async () => {
  const parts = [
    { name: 'file', filename: 'a.jsonl', value: '{}' },
    { name: 'purpose', value: 'batch' },
  ]
  const made = await door.send('/openai/files?api-version=2024-10-21', encoded(parts))
  assert.equal(made.status, 200, JSON.stringify(made.body))
  for (const path of ['/openai/files', '/openai/v1/files']) {
    const { body: found } = await door.ask('GET', `${path}?api-version=2024-10-21`)
    assert.deepEqual(
      found.data.map(({ id }: { id: string }) => id),
      [made.body.id],
    )
  }
  assert.equal((await door.ask('DELETE', `/openai/files/${made.body.id}?api-version=2024-10-21`)).status, 200)
})
