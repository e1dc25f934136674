import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { systemClock } from '../../../lib/clock.ts'
import { systemTimers } from '../../../lib/timers.ts'
import { doorOf } from './door.ts'
import { lineOf, startServer, upstreamOf } from './listing.fixture.ts'
import { listBytesMax, namesMax } from './names.ts'
import { readModels } from './read.ts'

type Act = (response: ServerResponse) => void
const json = (value: unknown, status = 200): Act => {
  const text = JSON.stringify(value)
  return response => void response.writeHead(status, { 'content-type': 'application/json' }).end(text)
}

let act: Act = json({})
const asked: { path: string | undefined; authorization: string | undefined }[] = []
const server = await startServer(({ url, headers }, response) => {
  asked.push({ path: url, authorization: headers.authorization })
  act(response)
})
after(() => server.close())

async function read(does: Act, base = `${server.origin}/v1`, signal = new AbortController().signal, timeoutMs = 2000) {
  act = does
  const line = lineOf(upstreamOf('east', { base_url: base, api_key: 'sk-of-the-upstream-1' }))
  try {
    return await readModels(await doorOf(line, signal), {
      clock: systemClock,
      timers: systemTimers,
      signal,
      timeoutMs,
    })
  } finally {
    await line.close()
  }
}

for (const [whose, list, names] of [
  ['OpenAI’s list', { object: 'list', data: [{ id: 'b' }, { id: 'a' }, { id: 'b' }] }, ['b', 'a']],
  ['a bare list', [{ id: 'org/name' }], ['org/name']],
  ['Ollama’s list', { models: [{ name: 'llama3:8b', model: 'llama3:8b' }] }, ['llama3:8b']],
  ['an empty list', { data: [] }, []],
  ['a list with names that nobody can call', { data: [{ id: 'a' }, { id: 'b\n\u001b[31m' }, { id: 7 }, 'c'] }, ['a']],
] as const)
  test(`${whose} is read`, async () => {
    const found = await read(json(list))
    assert.deepEqual('models' in found && found.models, names)
    assert.deepEqual(asked.at(-1), { path: '/v1/models', authorization: 'Bearer sk-of-the-upstream-1' })
  })

const tooMany = { data: Array.from({ length: namesMax + 1 }, (_, i) => ({ id: `m${i}` })) }
for (const [what, does, stage, says] of [
  ['a refused key', json({ error: { message: 'no sk-of-the-upstream-1' } }, 401), 'key', /refuses the key.*set east/],
  ['a missing page', json({}, 404), 'list', /`\/v1` at the end/],
  ['a web page', r => void r.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), 'answer', /a web page/],
  ['something else in JSON', json({ data: [1, 2] }), 'answer', /is not a list of models/],
  ['JSON that is none', r => void r.end('{"data":['), 'answer', /is not a list of models/],
  ['nesting without an end', r => void r.end('['.repeat(100_000)), 'answer', /is not a list of models/],
  ['more names than anybody has', json(tooMany), 'answer', /is not a list of models/],
  ['more bytes than any list has', r => void r.end(Buffer.alloc(listBytesMax + 1, 0x20)), 'answer', /more than a list/],
  ['a redirect', r => void r.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(), 'answer', /sends elsewhere/],
  ['trouble there', json({}, 503), 'answer', /in trouble itself \(status 503\)/],
  ['a limit', json({}, 429), 'answer', /fewer requests/],
  ['a connection that is cut', r => void r.destroy(), 'answer', /closed the connection/],
] as const satisfies readonly (readonly [string, Act, string, RegExp])[])
  test(`${what} is told in words, without the key`, async () => {
    const found = await read(does)
    assert.ok('trouble' in found)
    assert.equal(found.trouble.stage, stage, found.trouble.detail)
    assert.match(found.trouble.detail, says)
    assert.doesNotMatch(found.trouble.detail, /sk-of-the-upstream-1/)
  })

test('an upstream that does not answer, or only slowly, is not waited for', async () => {
  for (const does of [() => {}, (r: ServerResponse) => void r.writeHead(200).write('{"data":[')]) {
    const found = await read(does, undefined, undefined, 50)
    assert.match('trouble' in found ? found.trouble.detail : '', /does not answer in time/)
  }
})

test('whoever leaves is not kept waiting', async () => {
  const leaving = new AbortController()
  const found = await read(() => leaving.abort(), undefined, leaving.signal)
  assert.match('trouble' in found ? found.trouble.detail : '', /not waited for/)
})

test('a server that is not there is told apart from one that refuses', async () => {
  const gone = await startServer(() => {})
  await gone.close()
  const found = await read(json({}), `${gone.origin}/v1`)
  assert.ok('trouble' in found && found.connectedMs === undefined)
  assert.deepEqual(found.trouble.stage, 'connect')
  assert.match(found.trouble.detail, /Nothing listens at http:\/\/127\.0\.0\.1:\d+/)
})

test('TLS where none is spoken is named', async () => {
  const found = await read(json({ data: [] }), server.origin.replace('http:', 'https:'))
  assert.ok('trouble' in found)
  assert.deepEqual(found.trouble.stage, 'connect')
  assert.match(found.trouble.detail, /do not agree on TLS/)
})
