import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sibling } from './modules.ts'

test('a sibling has the ending of its caller, in a checkout and in the published package', () => {
  assert.equal(sibling('file:///app/src/store/sqlite.ts', './writer').href, 'file:///app/src/store/writer.ts')
  assert.equal(sibling('file:///app/dist/src/store/sqlite.js', './writer').href, 'file:///app/dist/src/store/writer.js')
  assert.equal(sibling('file:///a/b/c.js?x=1', '../d').href, 'file:///a/d.js')
})
