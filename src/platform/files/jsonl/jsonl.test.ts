import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchLine, checkJsonl, type JsonlBounds, type LineForm, lineBytesMax, readJsonl } from './index.ts'

async function* chunks(content: string | Buffer, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content as string)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const check = (content: string | Buffer, form?: LineForm, bounds?: JsonlBounds) =>
  checkJsonl(chunks(content), form, { problemsMax: 20, ...bounds })

const first = async (content: string | Buffer, form?: LineForm) => {
  const [problem] = (await check(content, form)).problems
  return problem && [problem.line, problem.param, problem.code]
}

test('lines are read wherever the pieces are cut', async () => {
  const content = '\ufeff{"a":1}\r\n\n  \t\r\n{"ä":"\u{1f600}"}\n{"b":[1,2]}'
  for (const size of [1, 2, 3, 5, 1000]) {
    const found: unknown[] = []
    for await (const entry of readJsonl(chunks(content, size)))
      found.push('value' in entry ? [entry.line, entry.value] : entry)
    assert.deepEqual(found, [
      [1, { a: 1 }],
      [4, { ä: '\u{1f600}' }],
      [5, { b: [1, 2] }],
    ])
  }
})

const scenarios: [name: string, content: string | Buffer, problem: unknown][] = [
  ['one object', '{}', undefined],
  ['a byte order mark, CRLF, blank lines and no last end are no matter', '\ufeff{"a":1}\r\n\r\n\n{"b":2}', undefined],
  ['nothing at all', '', [1, null, 'empty_file']],
  ['nothing but blank lines', '\n \r\n\t\n', [1, null, 'empty_file']],
  ['a text', '{}\nhello', [2, null, 'invalid_json_line']],
  ['a list', '[]', [1, null, 'invalid_json_line']],
  ['null', '{}\n\nnull', [3, null, 'invalid_json_line']],
  ['two objects on a line', '{} {}', [1, null, 'invalid_json_line']],
  ['an object over two lines', '{"a":\n1}', [1, null, 'invalid_json_line']],
  ['a second byte order mark', '{}\n\ufeff{}', undefined],
  ['what is not UTF-8', Buffer.from([0x7b, 0x7d, 0x0a, 0xff, 0xfe]), [2, null, 'invalid_json_line']],
  ['half of a surrogate pair', '{"a":"\\ud800"}', [1, null, 'invalid_json_line']],
  ['nesting without an end', `{}\n${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, [2, null, 'line_too_complex']],
  ['a NUL', '{}\n\0', [2, null, 'invalid_json_line']],
]
for (const [name, content, problem] of scenarios)
  test(name, async () => assert.deepEqual(await first(content), problem))

test('a problem says why, and never quotes the line', async () => {
  const { problems } = await check('{"password": "hunter2"')
  assert.match(problems[0]!.message, /not valid JSON: it ends too early/)
  assert.ok(!problems[0]!.message.includes('hunter2'))
})

test('all problems are told up to a bound', async () => {
  const bad = 'x\n'.repeat(10)
  assert.equal((await check(bad, undefined, { problemsMax: 3 })).problems.length, 3)
  const { lines, problems } = await check(`${bad}{}`)
  assert.deepEqual([lines, problems.length], [11, 10])
})

test('lines beyond the bound are told once', async () => {
  const { problems } = await check('{}\n{}\n{}\n{}', undefined, { linesMax: 2 })
  assert.deepEqual(
    problems.map(({ line, code }) => [line, code]),
    [[3, 'too_many_lines']],
  )
})

test('a line of 10 MB is a problem, and the lines around it are read', async () => {
  const long = `{"a":"${'x'.repeat(10_000_000)}"}`
  const { lines, problems } = await checkJsonl(chunks(`{}\n${long}\n{}`, 65_536), undefined, { problemsMax: 5 })
  assert.deepEqual([lines, problems.map(({ line, code }) => [line, code])], [3, [[2, 'line_too_long']]])
})

/** What this thread has worked: a busy machine stops anybody for a while. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

test('the largest lines hold the event loop for moments alone', async () => {
  const lines = [
    `{"a":"${'x'.repeat(lineBytesMax - 100)}"}`,
    `{"a":[${'1,'.repeat(399_000)}1]}`,
    `{"a":[${'1,'.repeat(lineBytesMax / 2 - 10)}1]}`,
    `{"a":"${'\\u00e4'.repeat(lineBytesMax / 6 - 10)}"}`,
    `{"a":[${'[],'.repeat(390_000)}[]]}`,
    '{"a":1}\n'.repeat(50_000),
  ]
  for (const [at, line] of lines.entries()) {
    const content = Buffer.from(`${line}\n`)
    let heldMs = 0
    let last = threadMs()
    let going = true
    const look = () => {
      const now = threadMs()
      heldMs = Math.max(heldMs, now - last)
      last = now
      if (going) setImmediate(look)
    }
    setImmediate(look)
    await checkJsonl(chunks(content, 65_536), undefined, { problemsMax: 5 })
    going = false
    // Of processor time; a few times what was seen, and far less than a reading in one go.
    assert.ok(heldMs < 200, `line ${at}: ${heldMs} ms`)
  }
})

const url = '/v1/chat/completions'
const line = (more: object) => JSON.stringify({ custom_id: 'a', method: 'POST', url, body: {}, ...more })
const batches: [name: string, content: string, problem: unknown][] = [
  ['two good lines', `${line({})}\n${line({ custom_id: 'b' })}`, undefined],
  ['no custom_id', line({ custom_id: undefined }), [1, 'custom_id', 'missing_required_parameter']],
  ['a number as custom_id', line({ custom_id: 7 }), [1, 'custom_id', 'invalid_custom_id']],
  ['an empty custom_id', line({ custom_id: '' }), [1, 'custom_id', 'invalid_custom_id']],
  ['the same custom_id twice', `${line({})}\n\n${line({})}`, [3, 'custom_id', 'duplicate_custom_id']],
  ['no method', line({ method: undefined }), [1, 'method', 'missing_required_parameter']],
  ['GET', line({ method: 'GET' }), [1, 'method', 'invalid_method']],
  ['no url', line({ url: undefined }), [1, 'url', 'missing_required_parameter']],
  ['another url', line({ url: '/v1/embeddings' }), [1, 'url', 'mismatched_url']],
  ['no body', line({ body: undefined }), [1, 'body', 'missing_required_parameter']],
  ['a text as body', line({ body: 'hi' }), [1, 'body', 'invalid_type']],
  ['a stream', line({ body: { stream: true } }), [1, 'body.stream', 'unsupported_value']],
]
for (const [name, content, problem] of batches)
  test(`a batch with ${name}`, async () => assert.deepEqual(await first(content, batchLine(url)), problem))
