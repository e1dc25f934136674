import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { encode, openWire, type RawReply } from '../support/socket.ts'
import { encoded, type FilesDoor, formType, openFiles, type Part } from './door.ts'

let door: FilesDoor
before(async () => {
  door = await openFiles()
})
after(() => door.close())

const purpose = { name: 'purpose', value: 'assistants' }
const file = { name: 'file', filename: 'a.txt', value: 'hello' }
const good: Part[] = [purpose, file]
const large = { name: 'file', filename: 'a.bin', value: 'x'.repeat(3_500_000) }
const cut = encoded(good).subarray(0, 150)

interface Sent {
  headers?: Record<string, string>
  body: string | Buffer
  /** Nothing more is written after the body. */
  finish?: true
  /** No length is announced. */
  chunked?: true
}

const problemOf = ({ status, body }: RawReply) => {
  const { error } = JSON.parse(body.toString())
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type'])
  return [status, error.code]
}

async function asked({ headers = {}, body, finish, chunked }: Sent): Promise<RawReply> {
  using wire = await openWire(door.port)
  const head = { path: '/v1/files', headers: { ...door.authorization, 'content-type': formType, ...headers } }
  if (chunked) {
    wire.write(encode({ ...head, headers: { ...head.headers, 'transfer-encoding': 'chunked' } }))
    wire.write(`${body.length.toString(16)}\r\n`)
    wire.write(body)
    wire.write('\r\n0\r\n\r\n')
  } else wire.write(encode({ ...head, body }))
  if (finish) wire.finish()
  return await wire.reply()
}

const broken = [400, 'invalid_multipart']
const typed = (type: string): Sent => ({ headers: { 'content-type': type }, body: encoded(good) })
const many = Array.from({ length: 10_000 }, (_, at) => ({ name: `f${at}`, value: 'x' }))
const inBase64 = { ...file, head: 'Content-Transfer-Encoding: base64\r\n' }

const scenarios: [name: string, sent: Sent, problem: unknown[]][] = [
  ['no boundary', typed('multipart/form-data'), broken],
  ['an empty boundary', typed('multipart/form-data; boundary='), broken],
  ['another boundary', typed('multipart/form-data; boundary=other'), broken],
  ['a boundary of a thousand characters', typed(`multipart/form-data; boundary=${'x'.repeat(1000)}`), broken],
  ['no body', { body: '' }, broken],
  ['no final boundary', { body: encoded(good, { end: false }) }, broken],
  ['a body that is cut in a file', { body: cut }, broken],
  ['bytes that are no form', { body: Buffer.alloc(50_000, 7) }, broken],
  ['JSON', typed('application/json'), [415, 'unsupported_media_type']],
  ['an urlencoded form', typed('application/x-www-form-urlencoded'), [415, 'unsupported_media_type']],
  [
    'a compressed body',
    { headers: { 'content-encoding': 'gzip' }, body: gzipSync(encoded(good)) },
    [415, 'unsupported_media_type'],
  ],
  ['10,000 parts', { body: encoded(many) }, broken],
  ['a part without a name', { body: encoded([{ name: '', value: 'x' }, ...good]) }, broken],
  ['two files', { body: encoded([...good, file]) }, broken],
  ['a file of another name', { body: encoded([...good, { ...file, name: 'more' }]) }, [400, 'unknown_parameter']],
  ['an unknown field', { body: encoded([...good, { name: 'model', value: 'x' }]) }, [400, 'unknown_parameter']],
  ['a field of a megabyte', { body: encoded([{ name: 'purpose', value: 'x'.repeat(1_000_000) }, file]) }, broken],
  ['a transfer encoding', { body: encoded([purpose, inBase64]) }, broken],
  [
    'more than is accepted, announced',
    { headers: { 'content-length': '600000000000' }, body: encoded(good) },
    [413, 'file_too_large'],
  ],
  ['more than is accepted, in chunks', { body: encoded([purpose, large]), chunked: true }, [413, 'file_too_large']],
  [
    'a body that is shorter than announced',
    { headers: { 'content-length': '5000' }, body: encoded(good), finish: true },
    [400, null],
  ],
]

for (const [name, sent, problem] of scenarios)
  test(`${name}: refused in OpenAI’s form, and nothing is left`, async () => {
    assert.deepEqual(problemOf(await asked(sent)), problem)
    assert.deepEqual(await door.blobsOnDisk(0), [])
  })

test('a connection whose form was refused takes the next request', async () => {
  using wire = await openWire(door.port)
  const headers = { ...door.authorization, 'content-type': formType }
  for (const body of [encoded([file, file]), cut, encoded([purpose]), encoded([{ name: 'nonsense', value: 'x' }])]) {
    wire.write(encode({ path: '/v1/files', headers, body }))
    assert.equal((await wire.reply()).status, 400)
  }
  wire.write(encode({ path: '/v1/files', headers, body: encoded(good) }))
  const { id } = JSON.parse((await wire.reply()).body.toString())
  wire.write(encode({ method: 'GET', path: `/v1/files/${id}/content`, headers: door.authorization }))
  assert.equal((await wire.reply()).body.toString(), 'hello')
  wire.write(encode({ method: 'HEAD', path: `/v1/files/${id}/content`, headers: door.authorization }))
  const head = await wire.reply({ to: 'HEAD' })
  assert.deepEqual([head.status, head.header('content-length')], [200, '5'])
  wire.write(encode({ method: 'DELETE', path: `/v1/files/${id}`, headers: door.authorization }))
  assert.equal((await wire.reply()).status, 200)
})

test('a form that comes byte by byte is read', async () => {
  using wire = await openWire(door.port)
  const body = encoded(good)
  const headers = { ...door.authorization, 'content-type': formType, 'content-length': String(body.length) }
  wire.write(encode({ path: '/v1/files', headers }))
  for (const byte of body) {
    wire.write(Buffer.from([byte]))
    await new Promise(resolve => setImmediate(resolve))
  }
  const { id, bytes } = JSON.parse((await wire.reply()).body.toString())
  assert.equal(bytes, 5)
  await door.ask('DELETE', `/v1/files/${id}`)
})

test('whoever leaves in the middle of a file leaves nothing, and the server goes on', async () => {
  for (let round = 0; round < 5; round++) {
    const wire = await openWire(door.port)
    const headers = { ...door.authorization, 'content-type': formType, 'content-length': '1500000' }
    wire.write(encode({ path: '/v1/files', headers }))
    wire.write(encoded(good, { end: false }))
    wire.write(Buffer.alloc(200_000))
    while ((await door.blobsOnDisk(1)).length === 0);
    wire[Symbol.dispose]()
    assert.deepEqual(await door.blobsOnDisk(0), [])
  }
  assert.deepEqual((await door.ask('GET', '/v1/files')).body.data, [])
})

test('a file need not have a name', async () => {
  const unnamed = await door.send('/v1/files', encoded([purpose, { name: 'file', value: 'x' }]))
  assert.deepEqual([unnamed.status, unnamed.body.filename], [200, 'upload'])
  await door.ask('DELETE', `/v1/files/${unnamed.body.id}`)
})
