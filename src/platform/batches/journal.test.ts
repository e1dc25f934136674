import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemTimers } from '../../lib/timers.ts'
import { Journal } from './journal.ts'

const entryOf = (line: number, ok = true) => ({
  ...{ line, ok, isUnasked: false },
  ...{ input: line, cached: 0, output: 1, reasoning: 0 },
})
const textOf = (line: number, length = 20): string => `${line}:${'ä'.repeat(length)}`

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-journal-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const open = (folder: string, fence: number) =>
  Journal.open({ folder, fence, timers: systemTimers, linesMax: 50_000, flushMs: 1 })

async function textsOf(journal: Journal, ok = true): Promise<string[]> {
  await journal.flush()
  const texts: string[] = []
  for await (const line of journal.lines(ok)) texts.push(line.toString().trimEnd())
  return texts
}

test('records of all sizes come back as they were, in the order of their ends', () =>
  inFolder(async folder => {
    const lengths = [1, 300_000, 10, 524_000, 600_000, 3_000_000, 1, 40, 1_100_000]
    const journal = await open(folder, 1)
    await Promise.all(lengths.map((length, line) => journal.add(entryOf(line, line !== 2), textOf(line, length))))
    const expected = lengths.map((length, line) => textOf(line, length))
    assert.deepEqual(await textsOf(journal), expected.toSpliced(2, 1))
    assert.deepEqual(await textsOf(journal, false), [expected[2]])
    const { completed, failed, input } = journal.sums
    assert.deepEqual([completed, failed, input], [8, 1, 36])
    await journal.close()
  }))

test('many small records, flushed while others are added, are each there once', () =>
  inFolder(async folder => {
    const journal = await open(folder, 1)
    const lane = async (first: number) => {
      for (let line = first; line < 4000; line += 4) await journal.add(entryOf(line), textOf(line, 500))
    }
    await Promise.all([0, 1, 2, 3].map(lane))
    const texts = await textsOf(journal)
    assert.equal(new Set(texts).size, 4000)
    assert.equal(texts.length, 4000)
    assert.equal(journal.sums.completed, 4000)
    await assert.rejects(journal.add(entryOf(7), 'again'), /answered twice/)
    await journal.close()
  }))

test('the next holder takes over what is whole, and what the one before adds later counts no more', () =>
  inFolder(async folder => {
    const first = await open(folder, 1)
    for (const line of [0, 1, 2]) await first.add(entryOf(line), textOf(line))
    await first.flush()
    await appendFile(join(folder, '0000000001.journal'), '3 o 1 0 1 0 5000000 12345\n{"cut":') // by a kill
    const second = await open(folder, 2)
    assert.deepEqual([second.has(2), second.has(3), second.sums.completed], [true, false, 3])
    await first.add(entryOf(4), textOf(4))
    await first.close()
    await second.add(entryOf(4), 'of the second')
    assert.deepEqual(await textsOf(second), [textOf(0), textOf(1), textOf(2), 'of the second'])
    await second.close()
  }))

test('a record that was cut anywhere is not read', () =>
  inFolder(async folder => {
    const journal = await open(folder, 1)
    for (const line of [0, 1]) await journal.add(entryOf(line), textOf(line))
    await journal.close()
    const path = join(folder, '0000000001.journal')
    for (let cut = 1, fence = 2; cut < 40; cut += 7, fence++) {
      await truncate(path, 108 - cut)
      const next = await open(folder, fence)
      assert.deepEqual(await textsOf(next), [textOf(0)])
      await next.close()
    }
  }))
