import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inTurns, openVectors } from './vectors.ts'

const vectors = openVectors(fileURLToPath(new URL('../../../models/parlance-embed-1.bin', import.meta.url)))

const HOSTILE: Record<string, string> = {
  'one letter': 'a',
  spaces: ' ',
  'one Han character': '的',
  'combining marks': '\u0301',
  'lone high surrogates': '\ud800',
  'lone low surrogates': '\udc00',
  emoji: '😀',
  punctuation: '.',
  digits: '7',
  'apostrophes and letters': "a'",
  'a ligature that unfolds to a phrase': 'ﷺ',
  'zero bytes': '\0',
  'new words': 'qzxwvk jjyyqq ',
}

test('the shipped model has a name and the sizes that the interface promises', () => {
  assert.equal(vectors.name, 'parlance-embed-1')
  assert.equal(vectors.dimensions, 1536)
  assert.equal(vectors.maxTokens, 8192)
})

test('a vector is the same on every call and in every copy of the model', () => {
  const again = openVectors(fileURLToPath(new URL('../../../models/parlance-embed-1.bin', import.meta.url)))
  for (const text of ['The cat sat on the mat.', '今天天气怎么样？', 'qzxwvk 😀 42']) {
    assert.deepEqual(vectors.embed(text), vectors.embed(text))
    assert.deepEqual(again.embed(text), vectors.embed(text))
  }
})

test('vectors keep their values: stored ones stay comparable', () => {
  for (const { text, at, values } of GOLDEN) {
    const vector = vectors.embed(text)
    at.forEach((place, i) => {
      const [value = Number.NaN, expected = Number.NaN] = [vector[place], values[i]]
      assert.ok(Math.abs(value - expected) < 1e-5, `${text} [${place}] is ${value}`)
    })
  }
})

test('every text has a finite vector of unit length, also one that says nothing', () => {
  const texts = [
    ' ',
    '\n\t',
    '...',
    '?!',
    '😀',
    '\ud800',
    '\udfff\ud800',
    '\u0301',
    '\u200d',
    '\0',
    'é',
    '42',
    'Ω',
    'ไทย',
    '한국어',
  ]
  for (const text of [...texts, '']) {
    for (const dimensions of [1, 2, 255, 256, 257, 1536]) assertUnit(vectors.embed(text, dimensions), dimensions, text)
  }
})

test('any number of dimensions is the whole vector cut and made unit length again', () => {
  const whole = vectors.embed('How do I reset my password?')
  for (const dimensions of [1, 64, 256, 257, 512, 1024, 1535]) {
    const cut = whole.slice(0, dimensions)
    const length = Math.sqrt(dot(cut, cut))
    const short = vectors.embed('How do I reset my password?', dimensions)
    assertUnit(short, dimensions, 'password')
    short.forEach((value, i) => {
      assert.ok(Math.abs(value - (cut[i] ?? 0) / length) < 1e-6)
    })
  }
})

test('dimensions outside of the range are refused', () => {
  for (const dimensions of [0, -1, 1537, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => vectors.embed('text', dimensions), RangeError)
    assert.throws(() => vectors.embedSteps('text', dimensions), RangeError)
  }
})

const NEARER: [string, string, string][] = [
  ['The cat sat on the mat.', 'A kitten is resting on the rug.', 'Interest rates rose again in March.'],
  [
    'How do I reset my password?',
    'I forgot my login code, what should I do?',
    'The elephant is the largest land animal.',
  ],
  ['今天天气怎么样？', 'What is the weather like today?', 'He bought a new car.'],
  ['音樂讓我快樂。', '音乐让我快乐。', '火车什么时候出发？'],
  ['Where is my parcel?', 'The package has not arrived.', 'She can speak three languages.'],
  ['password reset', 'passwrod resset', 'painting class'],
]

for (const [text, near, far] of NEARER) {
  test(`"${text}" is nearer to "${near}" than to "${far}"`, () => {
    for (const dimensions of [1536, 512, 256, 64]) {
      const vector = vectors.embed(text, dimensions)
      const [close, distant] = [vectors.embed(near, dimensions), vectors.embed(far, dimensions)]
      assert.ok(dot(vector, close) > dot(vector, distant) + 0.1, `at ${dimensions} dimensions`)
    }
  })
}

test('traditional and simplified characters give the same vector', () => {
  assert.deepEqual(vectors.embed('請問這輛車多少錢？'), vectors.embed('请问这辆车多少钱？'))
})

test('case, accents and full-width forms do not change a vector', () => {
  assert.deepEqual(vectors.embed('CAFÉ menu'), vectors.embed('cafe ｍｅｎｕ'))
})

test('tokens are words, digits, Han characters and marks, and never none', () => {
  const counts: [string, number][] = [
    ['Hello, world!', 4],
    ["don't", 1],
    ['room 42', 3],
    ['今天天气', 4],
    ['😀😀', 2],
    ['   ', 1],
    ['a'.repeat(33), 2],
  ]
  for (const [text, count] of counts) assert.equal(vectors.countTokens(text), count, text)
})

for (const [name, unit] of Object.entries(HOSTILE)) {
  test(`work grows no faster than the text: ${name}`, () => {
    const text = unit.repeat(Math.ceil(200_000 / unit.length))
    const [once, twice] = [countSteps(vectors.embedSteps(text)), countSteps(vectors.embedSteps(text + text))]
    assert.ok(twice.steps <= 2 * once.steps + 2, `${once.steps} steps, then ${twice.steps}`)
    assert.ok(once.steps <= text.length / 256, `${once.steps} steps`)
    assertUnit(once.result, 1536, name)
  })
}

test('a text of distinct words is read in blocks and still gives a unit vector', () => {
  const text = Array.from(
    { length: 30_000 },
    (_, i) => `w${i.toString(26).replace(/\d/g, d => 'qrstuvwxyz'.charAt(Number(d)))}`,
  ).join(' ')
  assertUnit(vectors.embed(text), 1536, 'distinct words')
})

test('others have their turn while a long text is embedded', async () => {
  let turns = 0
  let running = true
  const turn = () => {
    turns++
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  const vector = await inTurns(vectors.embedSteps('的确如此 and so on. '.repeat(10_000)))
  running = false
  assertUnit(vector, 1536, 'long text')
  assert.ok(turns > 20, `${turns} turns`)
})

test('an aborted embedding stops with the reason of the signal', async () => {
  const leave = new AbortController()
  const reply = inTurns(vectors.embedSteps('word '.repeat(100_000)), leave.signal)
  leave.abort(new Error('the client left'))
  await assert.rejects(reply, /the client left/)
})

test('what is no model file is refused with the reason', () => {
  assert.throws(() => openVectors(Buffer.from('not a model')), /not a vector model/)
  assert.throws(() => openVectors('/no/such/model.bin'), /ENOENT/)
})

function countSteps<T>(steps: Generator<void, T, void>): { steps: number; result: T } {
  for (let count = 1; ; count++) {
    const step = steps.next()
    if (step.done === true) return { steps: count, result: step.value }
  }
}

function assertUnit(vector: Float32Array, dimensions: number, text: string): void {
  assert.equal(vector.length, dimensions)
  assert.ok(Math.abs(Math.sqrt(dot(vector, vector)) - 1) < 1e-5, `${JSON.stringify(text)} at ${dimensions}`)
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

const GOLDEN: { text: string; at: number[]; values: number[] }[] = [
  {
    text: 'How do I reset my password?',
    at: [0, 1, 100, 255, 594, 1290],
    values: [0.0333, 0.282586, -0.03105, 0.006621, -0.225846, -0.207939],
  },
  {
    text: '今天天气怎么样？',
    at: [0, 1, 100, 255, 640, 829],
    values: [0.140866, 0.12464, 0.048659, 0.017985, 0.245024, -0.242024],
  },
  {
    text: 'qzxwvk 😀 42',
    at: [0, 1, 100, 255, 1003, 1287],
    values: [-0.09311, -0.059408, 0.081623, 0.028457, -0.26604, 0.26604],
  },
  { text: ' ', at: [0, 1, 100, 255, 256, 257], values: [Math.SQRT1_2, 0, 0, 0, Math.SQRT1_2, 0] },
]
