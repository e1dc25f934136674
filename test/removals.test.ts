import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'

/** Removing a folder that is found from another one: when that is an empty text, the folder above the working directory goes. */
const climbing = /\b(?:rm|rmdir)(?:Sync)?\([^;\n]*(?:'\.\.'|dirname\()/

test('nothing is removed by way of a parent folder: the folder that was made is named', async () => {
  const found: string[] = []
  for await (const path of glob('{src,bin,test,bench,training,docs}/**/*.{ts,mjs,cjs,js}')) {
    if (path.endsWith('removals.test.ts')) continue
    const lines = (await readFile(path, 'utf8')).split('\n')
    found.push(...lines.flatMap((line, i) => (climbing.test(line) ? [`${path}:${i + 1}`] : [])))
  }
  assert.deepEqual(found, [])
})

test('a removal that climbs is recognised', () => {
  for (const line of ["fs.rm(join(folder, '..'), { recursive: true })", 'rmSync(dirname(path), { recursive: true })'])
    assert.ok(climbing.test(line), line)
  for (const line of ['rm(folder, { recursive: true })', "if (name === '..') rm(folder)"])
    assert.ok(!climbing.test(line), line)
})
