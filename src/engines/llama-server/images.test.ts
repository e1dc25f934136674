import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainImage } from '../../../test/models/projector.ts'
import { Fault } from '../../lib/faults.ts'
import { checkImage } from './images.ts'

const data = (bytes: Buffer | string, kind = 'image/png') =>
  `data:${kind};base64,${Buffer.from(bytes).toString('base64')}`

/** The beginning of a JPEG: a segment of another kind, then the one that begins the frame. */
function jpeg(width: number, height: number): Buffer {
  const frame = Buffer.from([0xff, 0xc0, 0, 17, 8, 0, 0, 0, 0, 3, ...Array(9).fill(0)])
  frame.writeUInt16BE(height, 5)
  frame.writeUInt16BE(width, 7)
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2]), frame, Buffer.alloc(16)])
}

function gif(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(40)
  bytes.write('GIF89a')
  bytes.writeUInt16LE(width, 6)
  bytes.writeUInt16LE(height, 8)
  return bytes
}

function bmp(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(60)
  bytes.write('BM')
  bytes.writeInt32LE(width, 18)
  bytes.writeInt32LE(height, 22)
  return bytes
}

test('images of the usual kinds are taken, whatever they are called', () => {
  for (const url of [
    plainImage([1, 2, 3]),
    data(jpeg(640, 480), 'image/jpeg'),
    data(gif(3, 4), 'image/gif'),
    data(bmp(3, -4), 'image/bmp'),
    data(jpeg(1, 1), 'image/webp'),
  ])
    checkImage(url, 'p')
})

const refused: [name: string, url: string, code: string][] = [
  ['an address', 'https://example.com/a.png', 'unsupported_value'],
  ['an address inside', 'http://169.254.169.254/latest', 'unsupported_value'],
  ['a file', 'file:///etc/passwd', 'unsupported_value'],
  ['bytes without a name', 'iVBORw0KGgo=', 'unsupported_value'],
  ['no base64', 'data:image/png,abc', 'invalid_value'],
  ['broken base64', 'data:image/png;base64,a b', 'invalid_value'],
  ['a text', data('hello', 'text/plain'), 'invalid_value'],
  ['a text that is called an image', data('hello hello hello hello hello hello'), 'unsupported_value'],
  ['an image that ends early', data(jpeg(1, 1).subarray(0, 20)), 'unsupported_value'],
  ['an image of a kind that cannot be read', data(`RIFF${'x'.repeat(40)}`, 'image/webp'), 'unsupported_value'],
  ['an image without an extent', data(gif(0, 5)), 'unsupported_value'],
  ['an image that would fill the memory', data(jpeg(65_535, 65_535)), 'invalid_value'],
]

for (const [name, url, code] of refused)
  test(`refused with its place: ${name}`, () => {
    assert.throws(
      () => checkImage(url, 'messages[0].content[1].image_url.url'),
      (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.deepEqual([error.status, error.code, error.param], [400, code, 'messages[0].content[1].image_url.url'])
        return true
      },
    )
  })
