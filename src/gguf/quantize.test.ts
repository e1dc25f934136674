import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../lib/random.ts'
import { decode, encode, fromHalf, toHalf } from './quantize.ts'

const row = (of: (i: number) => number) => Float32Array.from({ length: 32 }, (_, i) => of(i))

describe('halves', () => {
  it('hold the values of IEEE 754', () => {
    for (const [value, half] of [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [0.5, 0x3800],
      [65504, 0x7bff],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [Number.POSITIVE_INFINITY, 0x7c00],
      [Number.NEGATIVE_INFINITY, 0xfc00],
    ] as const) {
      assert.equal(toHalf(value), half)
      assert.equal(fromHalf(half), value)
    }
    assert.ok(Number.isNaN(fromHalf(toHalf(Number.NaN))))
  })

  it('are rounded to the nearest, ties to even', () => {
    assert.equal(toHalf(1 + 2 ** -11), 0x3c00)
    assert.equal(toHalf(1 + 3 * 2 ** -11), 0x3c02)
    assert.equal(toHalf(1 + 2 ** -11 + 2 ** -20), 0x3c01)
    assert.equal(toHalf(65520), 0x7c00)
    assert.equal(toHalf(65519), 0x7bff)
    assert.equal(toHalf(2 ** -25), 0x0000)
    assert.equal(toHalf(3 * 2 ** -25), 0x0002)
    assert.equal(toHalf(2 ** -14 - 2 ** -26), 0x0400)
  })

  it('give back every half they can hold', () => {
    for (let half = 0; half < 0x10000; half++) {
      const value = fromHalf(half)
      if (!Number.isNaN(value)) assert.equal(toHalf(value), half)
    }
  })
})

describe('Q8_0', () => {
  it('is a half with max|x| / 127 and 32 signed bytes', () => {
    const bytes = encode(
      row(i => (i === 0 ? 127 : i === 1 ? -127 : i === 2 ? 0.5 : i === 3 ? -0.5 : i === 4 ? 1.4 : 0)),
      'Q8_0',
    )
    assert.equal(bytes.length, 34)
    // The scale is 1 (0x3c00, little-endian); halves go away from zero.
    assert.deepEqual([...bytes.subarray(0, 8)], [0x00, 0x3c, 127, 0x81, 1, 0xff, 1, 0])
  })

  it('holds zeros', () => {
    assert.deepEqual(
      encode(
        row(() => 0),
        'Q8_0',
      ),
      new Uint8Array(34),
    )
  })
})

describe('Q4_0', () => {
  it('is a half with the extreme value / -8 and 16 bytes, item i low and item i + 16 high', () => {
    const bytes = encode(
      row(i => (i === 0 ? -8 : i === 1 ? 7 : i === 16 ? 3 : i === 17 ? -1.4 : 0)),
      'Q4_0',
    )
    assert.equal(bytes.length, 18)
    // Scale 1: item 0 is 0, item 1 is 15, item 16 is 11, item 17 is 7 (-1.4 + 8.5 = 7.1), zeros are 8.
    assert.deepEqual([...bytes.subarray(0, 5)], [0x00, 0x3c, 0xb0, 0x7f, 0x88])
  })

  it('turns the sign of the scale when the extreme value is positive', () => {
    const bytes = encode(
      row(i => (i === 0 ? 8 : i === 1 ? -8 : 0)),
      'Q4_0',
    )
    // Scale -1 (0xbc00): 8 is 0, and -8 would be 16, held at 15.
    assert.deepEqual([...bytes.subarray(0, 4)], [0x00, 0xbc, 0x80, 0x8f])
  })
})

describe('encoding and decoding', () => {
  it('loses no more than the storage must', () => {
    const random = seededRandom(1)
    const values = Float32Array.from({ length: 320 }, () => (random.uint32() / 2 ** 31 - 1) * 3)
    for (const [storage, most] of [
      ['F32', 0],
      ['F16', 0.002],
      ['Q8_0', 0.013],
      ['Q4_0', 0.4],
    ] as const) {
      const back = decode(encode(values, storage), storage)
      const worst = Math.max(...values.map((value, i) => Math.abs(value - (back[i] ?? Number.NaN))))
      assert.ok(worst <= most, `${storage}: ${worst}`)
    }
  })

  it('refuses broken rows and numbers that are not finite', () => {
    assert.throws(() => encode(new Float32Array(33), 'Q8_0'), /multiple of 32/)
    assert.throws(() => encode(Float32Array.of(1, Number.NaN), 'F32'), /finite/)
  })
})
