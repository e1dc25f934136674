import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { silentLog } from '../../../lib/log.ts'
import { keptLists } from './kept.ts'
import { knownUpstreams, upstreamOf } from './listing.fixture.ts'

let dataDir: string
before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'parlance-lists-'))
})
after(() => rm(dataDir, { recursive: true }))

const at = (base_url: string, expose: 'all' | 'none' = 'all') => upstreamOf('east', { base_url, expose })
const restored = (upstream: ReturnType<typeof at>) => {
  const upstreams = knownUpstreams([upstream])
  keptLists({ dataDir, log: silentLog }).restore(upstreams)
  return upstreams.findings('east').models
}

test('the last list of an upstream that is still where it was is there after a restart', () => {
  assert.equal(restored(at('http://a/v1')), null)
  const lists = keptLists({ dataDir, log: silentLog })
  lists.keep(at('http://a/v1'), ['x', 'y'])
  assert.deepEqual(restored(at('http://a/v1')), ['x', 'y'])
  assert.equal(restored(at('http://b/v1')), null)
  assert.equal(restored(at('http://a/v1', 'none')), null)
})

test('a file that was damaged is no reason not to start', async () => {
  for (const text of ['{', '[]', '{"version":1,"lists":{"east":{"where":" http://a/v1","models":[7]}}}']) {
    await writeFile(join(dataDir, 'upstream-models.json'), text)
    assert.equal(restored(at('http://a/v1')), null)
  }
})
