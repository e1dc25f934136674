import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from './random.ts'
import { BlockCutter, BlockTooLong, EventParser, encodeEvent, readBlock } from './sse.ts'

const stream = [
  '\u{feff}data: {"text":"grüße 你好 👩‍🚀"}\n\n',
  ': ping\r\n\r\n',
  'event: thread.created\r\ndata: {}\r\n\r\n',
  'data:no space\n\n',
  'data: one\ndata: two\n\n',
  'id: 7\nretry: 100\n\n',
  'data: by returns\r\r',
  'data\n\n\n\n',
  'data: [DONE]\n\n',
].join('')

const events = [
  { event: 'message', data: '{"text":"grüße 你好 👩‍🚀"}' },
  { event: 'thread.created', data: '{}' },
  { event: 'message', data: 'no space' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'message', data: 'by returns' },
  { event: 'message', data: '' },
  { event: 'message', data: '[DONE]' },
]

/** Splits bytes at random places; sizes lean to single bytes. */
function* pieces(bytes: Buffer, seed: number) {
  const random = seededRandom(seed)
  for (let start = 0; start < bytes.length; ) {
    const length = 1 + (random.uint32() % (random.uint32() % 2 === 0 ? 2 : 40))
    yield bytes.subarray(start, start + length)
    start += length
  }
}

test('the same events come out however the bytes are split', () => {
  for (let seed = 0; seed < 300; seed++) {
    const parser = new EventParser(1000)
    const read = [...pieces(Buffer.from(stream), seed)].flatMap(piece => parser.push(piece))
    assert.deepEqual(read, events, `seed ${seed}`)
  }
})

test('what is encoded is read back, and line breaks are refused', () => {
  assert.equal(encodeEvent('{"a":1}'), 'data: {"a":1}\n\n')
  assert.deepEqual(new EventParser(100).push(Buffer.from(encodeEvent('{}', 'done'))), [{ event: 'done', data: '{}' }])
  for (const [data, event] of [['a\nb'], ['a\rb'], ['a', 'x\ny']] as const)
    assert.throws(() => encodeEvent(data, event), RangeError)
})

test('a block without data is no event', () => {
  for (const block of ['', ': comment', 'retry: 100', 'id: 1\nevent: x', 'dat: x'])
    assert.equal(readBlock(block), undefined, block)
})

test('whole blocks are passed on as a view of the chunk', () => {
  const chunk = Buffer.from('data: a\n\ndata: b\n\n')
  const whole = new BlockCutter(100).push(chunk)
  assert.equal(whole.toString(), chunk.toString())
  assert.equal(whole.buffer, chunk.buffer)
})

test('a block over the bound is refused, whether it comes at once or byte by byte', () => {
  const cutter = new BlockCutter(1000)
  assert.throws(() => cutter.push(Buffer.alloc(1001, 'x')), BlockTooLong)
  const slow = new BlockCutter(1000)
  assert.throws(() => {
    for (let sent = 0; sent < 1001; sent++) slow.push(Buffer.from('x'))
  }, BlockTooLong)
})

test('the start of an unfinished block is kept for the end', () => {
  const cutter = new BlockCutter(100)
  assert.equal(cutter.push(Buffer.from('data: a\n\ndata: [DO')).toString(), 'data: a\n\n')
  assert.equal(cutter.push(Buffer.from('NE]\n')).toString(), '')
  assert.equal(cutter.end().toString(), 'data: [DONE]\n')
  assert.equal(cutter.end().toString(), '')
})
