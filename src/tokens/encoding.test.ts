import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodingForModel, encodingNames, getEncoding, loadEncoding } from './index.ts'

// Published: the README and tests of openai/tiktoken, and the OpenAI cookbook "How to count tokens with tiktoken".
const published: readonly (readonly [encoding: string, text: string, tokens: number[]])[] = [
  ['cl100k_base', 'tiktoken is great!', [83, 1609, 5963, 374, 2294, 0]],
  ['cl100k_base', '你好', [57668, 53901]],
  ['gpt2', 'hello world', [31373, 995]],
  ['r50k_base', 'hello world', [31373, 995]],
  ['p50k_base', 'hello world', [31373, 995]],
  ['cl100k_base', 'hello world', [15339, 1917]],
  ['cl100k_base', ' \x850', [220, 126, 227, 15]],
  ['cl100k_base', 'rer', [38149]],
  ['cl100k_base', "'rer", [2351, 81]],
  ['cl100k_base', 'today\n ', [31213, 198, 220]],
  ['cl100k_base', 'today\n \n', [31213, 27907]],
  ['cl100k_base', 'today\n  \n', [31213, 14211]],
  ['cl100k_base', '👍', [9468, 239, 235]],
  ['gpt2', '0'.repeat(9), [10535, 830]],
  ['gpt2', '0'.repeat(16), [25645]],
  ['gpt2', '0'.repeat(17), [8269, 10535, 830]],
  ['gpt2', 'antidisestablishmentarianism', [415, 29207, 44390, 3699, 1042]],
  ['p50k_base', 'antidisestablishmentarianism', [415, 29207, 44390, 3699, 1042]],
  ['cl100k_base', 'antidisestablishmentarianism', [519, 85342, 34500, 479, 8997, 2191]],
  ['gpt2', '2 + 2 = 4', [17, 1343, 362, 796, 604]],
  ['cl100k_base', '2 + 2 = 4', [17, 489, 220, 17, 284, 220, 19]],
  ['gpt2', 'お誕生日おめでとう', [2515, 232, 45739, 243, 37955, 33768, 98, 2515, 232, 1792, 223, 30640, 30201, 29557]],
  ['cl100k_base', 'お誕生日おめでとう', [33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699]],
  ['o200k_base', 'お誕生日おめでとう', [8930, 9697, 243, 128225, 8930, 17693, 4344, 48669]],
]

for (const [encoding, text, tokens] of published) {
  test(`${encoding} gives the published tokens of ${JSON.stringify(text)}`, () => {
    assert.deepEqual(getEncoding(encoding).encode(text), tokens)
    assert.equal(getEncoding(encoding).decode(tokens), text)
  })
}

test('an allowed special token is one token, and any other text', () => {
  const encoding = getEncoding('cl100k_base')
  assert.deepEqual(encoding.encode('hello <|endoftext|>', { allowedSpecial: 'all' }), [15339, 220, 100257])
  assert.deepEqual(getEncoding('gpt2').encode('hello <|endoftext|>', { allowedSpecial: 'all' }), [31373, 220, 50256])
  const plain = encoding.encode('hello <|endoftext|>', { disallowedSpecial: [] })
  assert.ok(!plain.includes(100257))
  assert.deepEqual(plain, encoding.encodeOrdinary('hello <|endoftext|>'))
  assert.equal(encoding.decode([15339, 220, 100257]), 'hello <|endoftext|>')
})

test('a special token that is not allowed is refused by name', () => {
  const encoding = getEncoding('cl100k_base')
  assert.throws(() => encoding.encode('a <|endoftext|>'), {
    status: 400,
    code: 'disallowed_special_token',
    message: /<\|endoftext\|>/,
  })
  assert.throws(() => encoding.encode('a <|fim_prefix|>', { allowedSpecial: ['<|endoftext|>'] }), { status: 400 })
  assert.throws(() => encoding.encode('secret word', { disallowedSpecial: ['secret'] }), { status: 400 })
  assert.deepEqual(encoding.encode('<|endoftext|>', { allowedSpecial: ['<|endoftext|>'] }), [100257])
})

test('counting takes special tokens as text unless it is told otherwise', () => {
  const encoding = getEncoding('cl100k_base')
  assert.equal(encoding.count('<|endoftext|>'), encoding.encodeOrdinary('<|endoftext|>').length)
  assert.equal(encoding.count('<|endoftext|>', { allowedSpecial: 'all' }), 1)
  assert.throws(() => encoding.count('<|endoftext|>', { disallowedSpecial: 'all' }), { status: 400 })
})

test('harmony has its own special tokens over the tokens of o200k', () => {
  const harmony = getEncoding('o200k_harmony')
  const text = '<|start|>user<|message|>Hi<|end|><|reserved_201087|><|endofprompt|>'
  assert.deepEqual(
    harmony.encode(text, { allowedSpecial: 'all' }),
    [200006, 1428, 200008, 12194, 200007, 201087, 200018],
  )
  assert.equal(harmony.decode([200018]), '<|endofprompt|>')
  assert.equal(harmony.size, 201_088)
  assert.deepEqual(harmony.encodeOrdinary('tokens'), getEncoding('o200k_base').encodeOrdinary('tokens'))
})

test('every token of every encoding can be decoded to bytes and found again', () => {
  for (const name of encodingNames) {
    const encoding = getEncoding(name)
    let found = 0
    for (let token = 0; token < encoding.size; token += 7) {
      const special = [...encoding.specialTokens.values()].includes(token)
      if (special || (token >= 199_998 && !special)) continue
      try {
        assert.equal(encoding.encodeSingleToken(encoding.decodeSingleTokenBytes(token)), token)
        found++
      } catch (error) {
        assert.ok(isUnknownToken(error), `${name} ${token}: ${error}`)
      }
    }
    assert.ok(found > 7_000, `${name}: only ${found} tokens`)
  }
})

const isUnknownToken = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'unknown_token'

test('a token that does not exist is refused', () => {
  const encoding = getEncoding('cl100k_base')
  for (const token of [-1, 1.5, 100_256, 100_261, 100_277, Number.NaN, 2 ** 40]) {
    assert.throws(() => encoding.decode([token]), { status: 400, code: 'unknown_token' }, String(token))
  }
  assert.throws(() => encoding.encodeSingleToken('two words'), { code: 'unknown_token' })
  assert.equal(encoding.encodeSingleToken('<|endoftext|>'), 100_257)
  // p50k_base skips the number of its special token inside the table.
  assert.equal(getEncoding('p50k_base').decode([50_256]), '<|endoftext|>')
})

test('lone surrogates become U+FFFD, as in tiktoken', () => {
  const encoding = getEncoding('cl100k_base')
  assert.deepEqual(encoding.encode('\ud83d'), encoding.encode('\ufffd'))
  assert.deepEqual(
    encoding.encode('a\udc4d<|x|>\ud83d', { allowedSpecial: 'all' }),
    encoding.encode('a\ufffd<|x|>\ufffd'),
  )
})

test('a stream of tokens gives whole characters only, and nothing is lost', () => {
  for (const name of encodingNames) {
    const encoding = getEncoding(name)
    const text = '\ufeffお誕生日 👩‍👩‍👧‍👦 naïve 𝒳 тест ﷽ \u0301end'
    const tokens = encoding.encode(text)
    const parts = [...encoding.decodeStream(tokens)]
    assert.equal(parts.join(''), text)
    for (const part of parts) assert.ok(part.isWellFormed() && !part.includes('\ufffd') && part !== '')
    assert.ok(parts.length < tokens.length, 'some tokens end inside a character')
  }
})

test('a stream that ends inside a character says so', async () => {
  const encoding = getEncoding('cl100k_base')
  const [first = 0] = encoding.encode('👍')
  assert.deepEqual([...encoding.decodeStream([first])], ['\ufffd'])
  const tokens = encoding.encode('ok 👍')
  const parts: string[] = []
  for await (const part of encoding.decodeStreamAsync(each(tokens))) parts.push(part)
  assert.equal(parts.join(''), 'ok 👍')
  const decoder = encoding.decoder()
  assert.equal(decoder.push(first), '')
  assert.equal(decoder.end(), '\ufffd')
})

async function* each(tokens: number[]): AsyncGenerator<number, void> {
  yield* tokens
}

test('a limit is kept to the token', () => {
  const encoding = getEncoding('o200k_base')
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(50)
  const count = encoding.count(text)
  assert.equal(encoding.isWithinLimit(text, count), true)
  assert.equal(encoding.isWithinLimit(text, count - 1), false)
  assert.equal(encoding.isWithinLimit('', 0), true)
  assert.equal(encoding.isWithinLimit('<|endoftext|>', 1, { allowedSpecial: 'all' }), true)
})

test('work in slices gives the same tokens and lets other work in between', async () => {
  const encoding = getEncoding('cl100k_base')
  const text = `${'Some text, 一些文字 😀. '.repeat(20_000)}${'的'.repeat(50_000)}<|endoftext|>${' '.repeat(70_000)}`
  let turns = 0
  let isRunning = true
  const others = (async () => {
    for (; isRunning; turns++) await new Promise(resolve => setImmediate(resolve))
  })()
  const tokens = await encoding.encodeInSlices(text, { allowedSpecial: 'all' })
  assert.ok(turns > 20, `only ${turns} turns`)
  const count = await encoding.countInSlices(text)
  isRunning = false
  await others
  assert.deepEqual(tokens, encoding.encode(text, { allowedSpecial: 'all' }))
  assert.equal(count, encoding.count(text))
})

test('two texts in slices at a time do not disturb one another', async () => {
  const encoding = getEncoding('o200k_base')
  const texts = ['ab'.repeat(60_000), '的一是'.repeat(30_000), 'plain text '.repeat(9_000), ' \t'.repeat(40_000)]
  const counts = await Promise.all(texts.map(text => encoding.countInSlices(text)))
  assert.deepEqual(
    counts,
    texts.map(text => encoding.count(text)),
  )
})

test('work in slices ends when it is aborted', async () => {
  const encoding = getEncoding('cl100k_base')
  const controller = new AbortController()
  const work = encoding.countInSlices('long '.repeat(200_000), { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(work, { name: 'AbortError' })
})

test('an encoding is loaded once, by either way, and shared', async () => {
  const [one, two] = await Promise.all([loadEncoding('p50k_edit'), loadEncoding('p50k_edit')])
  assert.equal(one, two)
  assert.equal(getEncoding('p50k_edit'), one)
  assert.equal(encodingForModel('text-davinci-edit-001'), one)
  assert.throws(() => getEncoding('cl200k'), { status: 400, code: 'unknown_encoding' })
  await assert.rejects(loadEncoding('__proto__'), { code: 'unknown_encoding' })
})
