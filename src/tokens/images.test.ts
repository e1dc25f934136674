import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imageSizeOf, imageTokens, imageTokensMax } from './images.ts'

// Published: OpenAI's guide "Images and vision"; community.openai.com topics 1230130, 1281361, 1344040; openai-messages-token-helper.
const published: readonly (readonly [model: string, width: number, height: number, detail: string, tokens: number])[] =
  [
    ['gpt-4o', 1024, 1024, 'high', 765],
    ['gpt-4o', 2048, 4096, 'high', 1105],
    ['gpt-4o', 4096, 8192, 'low', 85],
    ['gpt-4-vision-preview', 1024, 1024, 'auto', 765],
    ['gpt-4o', 1, 1, 'auto', 255],
    ['gpt-4o', 1126, 488, 'auto', 595],
    ['gpt-4o-mini', 1, 1, 'auto', 8500],
    ['gpt-4o-mini', 1, 1, 'low', 2833],
    ['gpt-4o-mini', 1126, 488, 'auto', 19834],
    ['gpt-4.1', 1800, 2400, 'high', 765],
    ['gpt-4.1', 2049, 513, 'high', 1445],
    ['gpt-4.1', 2050, 513, 'high', 765],
    ['gpt-4.1-mini', 1800, 2400, 'auto', Math.ceil(1452 * 1.62)],
    ['gpt-4.1-mini', 1024, 1024, 'auto', Math.ceil(1024 * 1.62)],
    ['gpt-5-mini', 256, 256, 'auto', 77],
    ['gpt-5-mini', 512, 512, 'auto', 308],
    ['gpt-5-mini', 768, 1024, 'auto', 922],
    ['gpt-5-mini', 1280, 720, 'auto', 1104],
    ['gpt-5-mini', 1024, 1024, 'auto', 1229],
    ['gpt-5-mini', 2048, 768, 'auto', 1844],
    ['ft:gpt-4o-2024-08-06:acme::1', 1024, 1024, 'high', 765],
    ['o1', 1024, 1024, 'high', 675],
    ['gpt-5', 1024, 1024, 'high', 630],
  ]

for (const [model, width, height, detail, tokens] of published) {
  test(`${width} x ${height} in ${model} at ${detail} detail is ${tokens} tokens`, () => {
    assert.equal(imageTokens(model, { width, height }, detail), tokens)
  })
}

test('no image costs more than the largest', () => {
  for (const model of ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1-mini', 'o4-mini', 'o1', 'gpt-5']) {
    for (let width = 1; width < 20_000; width += 331) {
      for (let height = 1; height < 20_000; height += 1_171) {
        const tokens = imageTokens(model, { width, height })
        assert.ok(tokens > 0 && tokens <= imageTokensMax(model), `${model} ${width} x ${height}: ${tokens}`)
      }
    }
  }
})

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAABGYAAAHoCAYAAAA=', 'base64')
const gif = Buffer.from('R0lGODlhAwACAIAAAA==', 'base64')
// SOI, an empty APP0, then a frame of 300 x 200.
const jpeg = Buffer.from('ffd8ffe000020000ffe000040000ffc0001108012c00c803'.replace('ffe000020000', 'ffe00002'), 'hex')
const webp = Buffer.concat([
  Buffer.from('RIFF\0\0\0\0WEBPVP8X'),
  Buffer.from([10, 0, 0, 0, 0, 0, 0, 0, 0x57, 2, 0, 0x8f, 1, 0]),
])

test('the size of an image is read from its head', () => {
  assert.deepEqual(imageSizeOf(png), { width: 1126, height: 488 })
  assert.deepEqual(imageSizeOf(gif), { width: 3, height: 2 })
  assert.deepEqual(imageSizeOf(jpeg), { width: 200, height: 300 })
  assert.deepEqual(imageSizeOf(webp), { width: 600, height: 400 })
})

test('what is no image has no size, and a broken head ends the search', () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('text'),
    Buffer.from('ffd8', 'hex'),
    Buffer.from('ffd8ffffffffffffffffff', 'hex'),
  ]) {
    assert.equal(imageSizeOf(bytes), undefined)
  }
  for (const whole of [png, gif, jpeg, webp]) {
    for (let length = 0; length < whole.length; length++)
      assert.doesNotThrow(() => imageSizeOf(whole.subarray(0, length)))
  }
})
