import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { published } from './harness.ts'

it('the page on models says of tool calls what is tested', async () => {
  const page = await readFile(new URL('../../../../../docs/models.md', import.meta.url), 'utf8')
  const dialects = Object.values(published).map(({ dialect }) => dialect)
  const strange = Object.keys(published).filter(name => published[name]?.dialect === 'strange')
  const [, all, understood, others = ''] =
    /Of the (\d+) templates that the llama\.cpp source .{0,60}the calls of (\d+) come back .{0,90}\. Those of ([^.]+) are not/.exec(
      page.replaceAll('\n', ' '),
    ) ?? []
  assert.deepEqual([Number(all), Number(understood)], [dialects.length, dialects.length - strange.length])
  const letters = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  assert.deepEqual(
    others
      .split(/, | and /)
      .map(letters)
      .sort(),
    strange.map(letters).sort(),
  )
  const rows = [...page.matchAll(/^\| .+ \| `([\w.-]+)`/gm)].map(([, dialect]) => dialect)
  assert.deepEqual(rows.sort(), [...new Set(dialects)].filter(dialect => dialect !== 'strange').sort())
})
