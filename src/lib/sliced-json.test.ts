import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slicedJson } from './sliced-json.ts'

const values: Record<string, Record<string, unknown>> = {
  'an empty object': {},
  'a small one': { object: 'x', count: 3, nothing: null, left: undefined, flag: true, deep: { a: [1] } },
  'a long text': { text: 'Grüße, 世界 "quoted"\n🙂'.repeat(5000) },
  'a text whose pairs lie on the cut': { text: `a${'🙂'.repeat(20_000)}`, other: '🙂'.repeat(20_000) },
  'half pairs': { text: `${'a'.repeat(8191)}\ud83d`, other: '\udc00' },
  'a long list of numbers': { tokens: Array.from({ length: 100_000 }, (_, index) => index * 7) },
  'a long list of texts': { pieces: Array.from({ length: 20_000 }, (_, index) => `"${index}é`) },
  'empty ones': { text: '', list: [] },
}

for (const [name, value] of Object.entries(values))
  test(`${name} is written as JSON.stringify would`, async () => {
    assert.equal((await slicedJson(value)).toString(), JSON.stringify(value))
  })

test('a reader that has left stops the writing', async () => {
  const signal = AbortSignal.abort(new Error('left'))
  await assert.rejects(slicedJson({ list: Array.from({ length: 1_000_000 }, () => 1) }, signal), /left/)
})
