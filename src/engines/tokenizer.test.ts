import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchTurns } from '../../test/support/held.ts'
import { getEncoding, loadEncoding } from '../tokens/index.ts'
import { eachPiece, encodingTokenizer, type TokenIds, tokenizerForModel } from './tokenizer.ts'

const cl100k = encodingTokenizer('cl100k_base')
const ids = cl100k.ids as TokenIds
const mixed = 'The quick brown fox, 世界 🦜 and "code();"\n\n'
/** Beyond what is done in this thread. */
const large = mixed.repeat(40_000)
const heldMillisMax = 20

for (const [size, text] of [
  ['small', mixed],
  ['large', large],
] as const)
  test(`a ${size} text: ids, count, pieces and text are those of the encoding`, async () => {
    const expected = getEncoding('cl100k_base').encodeOrdinary(text)
    const tokens = await ids.encode(text, false)
    assert.deepEqual(Array.from(tokens), expected)
    assert.equal(await cl100k.count(text), expected.length)
    assert.equal(await ids.decode(tokens), text)
    const pieces = [...eachPiece(await ids.pieces(tokens))]
    assert.equal(pieces.length, expected.length)
    assert.equal(pieces.join(''), text)
  })

test('pieces of tokens that are no text are U+FFFD, and joined they are the decoded text', async () => {
  const cases = [[9468], [9468, 64], [64, 9468, 99], [9468, 9468, 99, 250], [250, 250, 64], []]
  for (const tokens of cases.map(list => Uint32Array.from(list))) {
    const pieces = [...eachPiece(await ids.pieces(tokens))]
    assert.equal(pieces.length, tokens.length)
    assert.equal(pieces.join(''), getEncoding('cl100k_base').decode(tokens))
    assert.equal(await ids.decode(tokens), pieces.join(''))
  }
})

test('special tokens are text, or tokens when that is asked for', async () => {
  assert.deepEqual([...(await ids.encode('<|endoftext|>', true))], [100257])
  assert.equal((await ids.encode('<|endoftext|>', false)).length, 7)
  assert.equal(await ids.decode(Uint32Array.of(100257)), '<|endoftext|>')
})

test('a number that is no token is a fault of the caller, also from the thread for large work', async () => {
  const many = new Uint32Array(100_000).fill(64)
  many[99_999] = 100_300
  for (const tokens of [Uint32Array.of(100_300), many])
    for (const ask of [ids.decode, ids.pieces])
      await assert.rejects(ask(tokens), { name: 'Fault', status: 400, code: 'unknown_token' })
})

test('the prompt of a chat is counted by the rules of the model, large or small', async () => {
  const hello = tokenizerForModel('gpt-4o')
  const messages = (content: string) => [{ role: 'user' as const, content }]
  assert.deepEqual(await hello.countChat({ model: 'x', messages: messages('Hello!') }), { tokens: 9, assumptions: [] })
  const long = await hello.countChat({ model: 'x', messages: messages('a '.repeat(200_000)) })
  assert.equal(long.tokens, 7 + getEncoding('o200k_base').count('a '.repeat(200_000)))
})

test('an unknown model is counted as an estimate that says so; a name with its vendor is known', async () => {
  const unknown = tokenizerForModel('Qwen/Qwen3-32B')
  assert.equal(unknown.name, 'o200k_base')
  assert.match(unknown.assumptions.join(), /'Qwen\/Qwen3-32B' is not known/)
  const { assumptions } = await unknown.countChat({ model: 'x', messages: [{ role: 'user', content: 'a' }] })
  assert.deepEqual(assumptions, unknown.assumptions)
  for (const name of ['openai/gpt-3.5-turbo', 'gpt-35-turbo-16k', 'ft:gpt-3.5-turbo-0125:acme::x']) {
    const known = tokenizerForModel(name)
    assert.deepEqual([known.name, known.assumptions], ['cl100k_base', []])
  }
})

test('an unknown encoding is a fault, also of large work', async () => {
  const none = encodingTokenizer('none')
  for (const text of ['a', large]) await assert.rejects(none.count(text), { code: 'unknown_encoding' })
})

test('what nobody waits for any more ends with the reason, here and in the thread', async () => {
  for (const text of [mixed.repeat(2000), large]) {
    const left = new AbortController()
    const counting = cl100k.count(text, left.signal)
    left.abort(new Error('left'))
    await assert.rejects(counting, /left/)
  }
  assert.equal(await cl100k.count(large), getEncoding('cl100k_base').count(large), 'the thread goes on')
})

const shapes = { words: large, 'one letter': 'a'.repeat(4_000_000), 'one character': '的'.repeat(1_500_000) }
for (const [name, text] of Object.entries(shapes))
  test(`megabytes of ${name} hold the event loop for at most ${heldMillisMax} ms`, async () => {
    await loadEncoding('cl100k_base')
    let held = Number.POSITIVE_INFINITY
    // What holds it is ours each time; what another program does to a busy machine is not.
    for (let attempt = 0; attempt < 3 && held > heldMillisMax; attempt++) {
      const turns = watchTurns()
      const tokens = await ids.encode(text, false)
      assert.equal(await cl100k.count(text), tokens.length)
      await ids.pieces(tokens)
      await ids.decode(tokens)
      held = turns.heldMillisMax()
    }
    assert.ok(held <= heldMillisMax, `${held} ms`)
  })
