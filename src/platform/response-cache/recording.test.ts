import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fault } from '../../lib/faults.ts'
import { type Reading, Recording, type Room } from './recording.ts'

const kib = (count: number, letter = 'x') => Buffer.alloc(count * 1024, letter)

function recorded(maxBytes: number, roomBytes = 100 * 1024 * 1024) {
  const room: Room = { maxBytes: roomBytes, usedBytes: 0 }
  let outgrown = 0
  const recording = new Recording(maxBytes, room, () => outgrown++)
  return { recording, room, outgrown: () => outgrown }
}

/** All that is there now. */
function rest(reading: Reading): string {
  let text = ''
  for (let piece = reading.take(); piece !== undefined; piece = reading.take()) text += Buffer.from(piece).toString()
  return text
}

test('every reader gets the whole stream, whenever it comes and at its own pace', async () => {
  const { recording, room } = recorded(1000)
  const early = recording.open()
  recording.write(Buffer.from('one '))
  assert.equal(rest(early), 'one ')
  const late = recording.open()
  const waiting = early.more()
  recording.write(Buffer.from('two'))
  await waiting
  assert.equal(rest(early), 'two')
  assert.equal(early.isOver, false)
  recording.end()
  assert.equal(early.isOver, true)
  assert.equal(late.isOver, false)
  assert.equal(rest(late), 'one two')
  assert.equal(late.isOver, true)
  await late.more()
  assert.equal(recording.whole()?.toString(), 'one two')
  early.close()
  assert.equal(room.usedBytes, 7)
  late.close()
  assert.equal(room.usedBytes, 0)
})

test('a stream within its bound never waits for a reader', () => {
  const { recording, outgrown } = recorded(1024 * 1024)
  recording.open()
  for (let count = 0; count < 1024; count++) assert.equal(recording.write(kib(1)), true)
  assert.equal(outgrown(), 0)
  assert.equal(recording.write(kib(1)), false)
  assert.equal(outgrown(), 1)
})

test('beyond its bound a stream goes at the pace of its reader, and holds no more than that one has to read', () => {
  const { recording, room, outgrown } = recorded(100 * 1024)
  const reading = recording.open()
  let written = 0
  let taken = 0
  let resumed = 0
  for (let round = 0; round < 50; round++) {
    for (let count = 0; recording.write(kib(10)); count++, written += 10)
      assert.ok(count < 100, 'nothing holds it back')
    written += 10
    recording.drained(() => resumed++)
    assert.equal(resumed, round)
    assert.ok(room.usedBytes <= 200 * 1024, `${room.usedBytes}`)
    while (resumed === round) {
      assert.ok(reading.take())
      taken += 10
    }
    assert.ok(written - taken <= 64)
  }
  assert.equal(outgrown(), 1)
  assert.equal(recording.whole(), undefined)
  recording.end()
  assert.equal(rest(reading).length, (written - taken) * 1024)
  reading.close()
  assert.equal(room.usedBytes, 0)
})

test('a reader who falls behind by more than the bound is cut off with an error, and holds nobody up', async () => {
  const { recording, room } = recorded(100 * 1024)
  const [fast, slow, stuck] = [recording.open(), recording.open(), recording.open()]
  for (let count = 0; count < 100; count++) {
    assert.equal(recording.write(kib(10)), true, `${count}`)
    assert.equal(rest(fast).length, 10 * 1024)
    if (count >= 5) assert.ok(slow.take() !== undefined)
    assert.ok(room.usedBytes <= 130 * 1024, `${room.usedBytes}`)
  }
  recording.end()
  assert.equal(fast.fault, undefined)
  assert.equal(rest(slow).length, 5 * 10 * 1024)
  assert.equal(slow.fault, undefined)
  await stuck.more()
  assert.match(rest(stuck), /^data: \{"error":\{.*"code":"stream_read_too_slowly".*\n\n$/)
  assert.deepEqual([stuck.isOver, stuck.fault?.status], [true, 503])
  for (const reading of [fast, slow, stuck]) reading.close()
  assert.equal(room.usedBytes, 0)
})

test('when the fastest reader leaves, the next one sets the pace', () => {
  const { recording } = recorded(100 * 1024)
  const [fast, slow] = [recording.open(), recording.open()]
  for (let count = 0; count < 15; count++) {
    assert.equal(recording.write(kib(10)), true)
    rest(fast)
    if (count >= 8) slow.take()
  }
  fast.close()
  assert.equal(recording.write(kib(10)), false)
  let resumed = 0
  recording.drained(() => resumed++)
  assert.equal(resumed, 0)
  rest(slow)
  assert.equal(resumed, 1)
})

test('what is on its way in all streams together is bounded: a stream gives up being kept first', () => {
  const room: Room = { maxBytes: 100 * 1024, usedBytes: 0 }
  let outgrown = 0
  const recordings = Array.from({ length: 3 }, () => new Recording(80 * 1024, room, () => outgrown++))
  const readings = recordings.map(recording => recording.open())
  for (const recording of recordings) for (let count = 0; count < 5; count++) recording.write(kib(10))
  assert.equal(outgrown, 1)
  for (const reading of readings) assert.equal(rest(reading).length, 50 * 1024)
  for (const recording of recordings) recording.end()
  assert.deepEqual(
    recordings.map(recording => recording.whole()?.length),
    [51_200, 51_200, undefined],
  )
  for (const reading of readings) reading.close()
  assert.equal(room.usedBytes, 0)
})

test('what failed tells every reader, and what comes after the end is not there', () => {
  const { recording } = recorded(1000)
  const reading = recording.open()
  recording.write(Buffer.from('half'))
  recording.end(fault.draining())
  assert.equal(recording.write(Buffer.from('more')), true)
  assert.equal(rest(reading), 'half')
  assert.equal(reading.fault?.code, 'shutting_down')
})
