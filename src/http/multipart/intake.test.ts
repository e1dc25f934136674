import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Intake, released } from './intake.ts'

const bytesOf = (length: number, from: number) => Buffer.from(Array.from({ length }, (_, at) => (from + at * 7) & 0xff))

/** Adds pieces as a socket brings them: when there is room, and gone afterwards. */
async function bring(pieces: readonly Buffer[], expectedBytes: number) {
  let room = Promise.withResolvers<void>()
  const intake = new Intake(expectedBytes, () => room.resolve())
  const bringing = (async () => {
    for (const piece of pieces) {
      if (intake.isFull) await room.promise
      room = Promise.withResolvers()
      const gone = Buffer.from(piece)
      intake.add(gone)
      gone.fill(0)
    }
    intake.end()
  })()
  const parts: Buffer[] = []
  const memories = new Set<ArrayBufferLike>()
  for await (const part of intake.bytes()) {
    await setImmediate()
    parts.push(Buffer.from(part))
    memories.add(part.buffer)
  }
  await bringing
  return { whole: Buffer.concat(parts), memories: memories.size, takenBytes: intake.takenBytes }
}

for (const [name, sizes] of [
  ['no piece', []],
  ['an empty piece', [0]],
  ['one byte', [1]],
  ['many small ones', Array.from({ length: 3000 }, (_, at) => at % 300)],
  ['those of a socket', Array.from({ length: 40 }, () => 65_536)],
  ['those of a socket, with a rest', [...Array.from({ length: 9 }, () => 65_521), 3]],
  ['one that is larger than all buffers', [1_000_000, 5]],
] as const)
  test(`a file arrives as it came, in a few buffers: ${name}`, async () => {
    const pieces = sizes.map((size, at) => bytesOf(size, at))
    const sum = Buffer.concat(pieces)
    for (const expectedBytes of [Number.POSITIVE_INFINITY, sum.length, 10]) {
      const { whole, memories, takenBytes } = await bring(pieces, expectedBytes)
      assert.ok(whole.equals(sum))
      assert.equal(takenBytes, sum.length)
      if (Math.max(0, ...sizes) <= 65_536 && expectedBytes > 1000) assert.ok(memories <= 3, `${memories} buffers`)
    }
  })

test('a small file takes little memory', async () => {
  const intake = new Intake(2000, () => {})
  intake.add(bytesOf(100, 0))
  intake.end()
  for await (const piece of intake.bytes()) assert.equal(piece.buffer.byteLength, 2000)
})

test('what fails is told to whoever waits, whoever comes later, and whoever has a piece in hand', async () => {
  const broken = new RangeError('broken')
  const waiting = new Intake(10, () => {})
  const next = waiting.bytes().next()
  waiting.fail(broken)
  waiting.fail(new Error('later'))
  await assert.rejects(next, broken)
  await assert.rejects(waiting.bytes().next(), broken)
  const reading = new Intake(1024, () => {})
  reading.add(bytesOf(3000, 1))
  const bytes = reading.bytes()
  assert.equal((await bytes.next()).value?.length, 1024)
  reading.fail(broken)
  reading.end()
  await assert.rejects(bytes.next(), broken)
})

test('memory is given back at once, unless others look at it too', () => {
  const own = Buffer.allocUnsafeSlow(70_000)
  released(own)
  assert.equal(own.length, 0)
  const shared = Buffer.allocUnsafeSlow(70_000).fill(1)
  released(shared.subarray(1))
  released(Buffer.from('from the pool'))
  assert.equal(shared[69_999], 1)
})
