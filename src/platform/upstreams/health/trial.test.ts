import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Upstream as Fake, startUpstream, upstreamModels } from '../../../../test/support/upstream.ts'
import { systemClock } from '../../../lib/clock.ts'
import { systemTimers } from '../../../lib/timers.ts'
import { doorOf } from '../listing/door.ts'
import { lineOf, startServer, upstreamOf } from '../listing/listing.fixture.ts'
import { type Step, stepNames, type Trial, tryUpstream } from './trial.ts'

let fake: Fake
before(async () => {
  fake = await startUpstream()
})
after(() => fake.close())

interface Tried {
  base?: string
  key?: string
  model?: string
  lookup?(): Promise<unknown>
  signal?: AbortSignal
}

async function tried(asked: Tried = {}): Promise<Trial> {
  const { base = fake.baseUrl, key = fake.key, model, lookup, signal = new AbortController().signal } = asked
  const line = lineOf(upstreamOf('east', { base_url: base, api_key: key }))
  try {
    return await tryUpstream(await doorOf(line, signal), {
      model,
      clock: systemClock,
      timers: systemTimers,
      signal,
      lookup: lookup ?? (() => Promise.resolve()),
    })
  } finally {
    await line.close()
  }
}

const states = ({ steps }: Trial) => steps.map(({ ok }) => (ok === null ? '-' : ok ? 'y' : 'n')).join('')
const step = ({ steps }: Trial, name: string): Step => steps.find(one => one.name === name)!

test('a good upstream passes every step, and a chat of a few tokens is all it costs', async () => {
  const asked = fake.requests.length
  const trial = await tried({ model: upstreamModels.chat })
  assert.deepEqual([trial.ok, states(trial)], [true, 'yyyyyyy'], JSON.stringify(trial.steps))
  assert.deepEqual(
    trial.steps.map(({ name }) => name),
    [...stepNames],
  )
  const requests = fake.requests.slice(asked)
  assert.deepEqual(
    requests.map(({ body }) => [body.max_tokens, body.stream]),
    [
      [16, undefined],
      [16, true],
    ],
  )
  assert.match(step(trial, 'chat').detail, /\d+ tokens in, \d+ out, for which the upstream may charge/)
})

test('without a model no chat is tried, and nothing is claimed of it', async () => {
  const asked = fake.requests.length
  const trial = await tried()
  assert.deepEqual([trial.ok, states(trial)], [true, 'yyyy---'])
  assert.match(step(trial, 'chat').detail, /name a model/)
  assert.match(step(trial, 'key').detail, /to be sure/)
  assert.equal(fake.requests.length, asked)
})

test('a wrong key is found, and not tried again', async () => {
  const asked = fake.requests.length
  const trial = await tried({ key: 'sk-wrong-wrong-wrong', model: upstreamModels.chat })
  assert.deepEqual([trial.ok, states(trial)], [false, 'yyn----'])
  assert.match(step(trial, 'key').detail, /refuses the key/)
  assert.equal(fake.requests.length, asked)
  assert.doesNotMatch(JSON.stringify(trial.steps), /sk-wrong/)
})

test('a model that is not there is told in the words of the upstream', async () => {
  const trial = await tried({ model: 'nobody' })
  assert.deepEqual([trial.ok, states(trial)], [false, 'yyyyn--'])
  assert.match(step(trial, 'models').detail, /'nobody' is not among them/)
  assert.match(step(trial, 'chat').detail, /The model `nobody` does not exist/)
})

test('an upstream without a list is well as long as it chats', async () => {
  fake.models = undefined
  try {
    const trial = await tried({ model: upstreamModels.chat })
    assert.deepEqual([trial.ok, states(trial)], [true, 'yyy-yyy'])
    assert.match(step(trial, 'models').detail, /--expose/)
    const without = await tried()
    assert.deepEqual([without.ok, states(without)], [false, 'yy-n---'])
  } finally {
    fake.models = Object.values(upstreamModels)
  }
})

test('a name that nobody knows ends the trial before any request', async () => {
  const lookup = () => Promise.reject(Object.assign(new Error('queryA'), { code: 'ENOTFOUND' }))
  const trial = await tried({ base: 'http://upstream.invalid/v1', lookup })
  assert.deepEqual([trial.ok, states(trial)], [false, 'n------'])
  assert.match(step(trial, 'resolve').detail, /upstream\.invalid \(ENOTFOUND\)/)
})

test('a stream that is none, and one without usage, are told apart', async () => {
  let streams: string
  const server = await startServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const isStream = Buffer.concat(chunks).includes('"stream":true')
      if (request.method === 'GET') response.end('{"data":[{"id":"m"}]}')
      else if (isStream) response.end(streams)
      else response.end('{"choices":[{"message":{"role":"assistant","content":"ok"}}]}')
    })
  })
  try {
    const base = `${server.origin}/v1`
    streams = '{"choices":[{"message":{}}]}'
    assert.equal(states(await tried({ base, model: 'm' })), 'yyyyyn-')
    streams = 'data: {"choices":[{"delta":{"content":"ok"}}]}\r\n\r\ndata: [DONE]\r\n\r\n'
    const uncounted = await tried({ base, model: 'm' })
    assert.deepEqual([uncounted.ok, states(uncounted)], [true, 'yyyyyyn'])
    assert.match(step(uncounted, 'usage').detail, /Parlance counts tokens itself/)
  } finally {
    await server.close()
  }
})

test('a model that knows only the newer word for the limit is asked with it', async () => {
  const bodies: Record<string, unknown>[] = []
  const server = await startServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'GET') return response.end('{"data":[]}')
      const body = JSON.parse(Buffer.concat(chunks).toString())
      bodies.push(body)
      if ('max_tokens' in body)
        return response
          .writeHead(400, { 'content-type': 'application/json' })
          .end('{"error":{"message":"Use \'max_completion_tokens\' instead."}}')
      return response.end('{"choices":[{"message":{"content":"ok"}}]}')
    })
  })
  try {
    const trial = await tried({ base: `${server.origin}/v1`, model: 'o9' })
    assert.equal(step(trial, 'chat').ok, true)
    assert.equal(bodies[1]?.max_completion_tokens, 16)
  } finally {
    await server.close()
  }
})

test('a trial that is cancelled ends with what it has found', async () => {
  const leaving = new AbortController()
  const server = await startServer(() => leaving.abort())
  try {
    const trial = await tried({ base: `${server.origin}/v1`, signal: leaving.signal })
    assert.equal(trial.ok, false)
    assert.match(step(trial, 'models').detail, /not waited for/)
  } finally {
    await server.close()
  }
})
