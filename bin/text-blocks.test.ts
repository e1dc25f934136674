import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '../src/lib/random.ts'
import { encodingNames, getEncoding } from '../src/tokens/index.ts'
import { lastCut, openText } from './text-blocks.ts'

const atoms = [
  'a',
  'Z',
  'é',
  '你',
  '🙂',
  "'s",
  '1',
  '.',
  '/',
  '!',
  ' ',
  '\t',
  '\u00a0',
  '\r',
  '\n',
  '\n',
  '\u0301',
  '"',
]

test('a text that is cut where it may be has the tokens of the whole, in every encoding', () => {
  const random = seededRandom(7)
  const texts = Array.from({ length: 400 }, () =>
    Array.from({ length: 60 }, () => atoms[random.uint32() % atoms.length]).join(''),
  )
  let cuts = 0
  for (const name of encodingNames) {
    const encoding = getEncoding(name)
    for (const text of texts) {
      const cut = lastCut(text)
      if (cut > 0) cuts++
      const parts = [text.slice(0, cut), text.slice(cut)].flatMap(part => encoding.encodeOrdinary(part))
      assert.deepEqual(parts, encoding.encodeOrdinary(text), JSON.stringify([name, text, cut]))
    }
  }
  assert.ok(cuts > 1000, `${cuts} cuts`)
})

test('blocks put together are the text, whatever the bytes that files come in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-blocks-'))
  try {
    const file = join(folder, 'text')
    for (const text of [
      '',
      'a',
      '\ufeff世界\n'.repeat(50_000),
      '🙂'.repeat(40_000),
      'word\nline 🙂\n'.repeat(30_000),
    ]) {
      await writeFile(file, text)
      for (const length of [100_000, 'whole'] as const) {
        const opened = await openText(file, length)
        const blocks: string[] = []
        for await (const block of opened.blocks()) blocks.push(block)
        assert.equal(blocks.join(''), text)
        assert.equal(opened.readBytes, Buffer.byteLength(text))
        assert.equal(opened.sizeBytes, opened.readBytes)
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
