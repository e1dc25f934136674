import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { checked, errorOf } from '../support/errors.ts'
import { smallModelSettings } from '../support/models.ts'
import { startProduct } from '../support/product.ts'
import { ask, openWire, type RawReply, type Wire } from '../support/socket.ts'
import { type Attempt, attempt } from './mutate.ts'

const lanes = 8

/**
 * Sends that many mutated requests to a started server, eight at a time on kept connections. Whatever comes, the server answers
 * within the API's manners: no 5xx, every error in OpenAI's form and without internals, every stream whole; and it goes on as before.
 */
export async function fuzz(context: TestContext, { seed, count }: { seed: number; count: number }): Promise<void> {
  context.diagnostic(`seed ${seed}, ${count} requests`)
  await using product = await startProduct({ yaml: await smallModelSettings({ context: 256 }) })
  const probe = async () => {
    const body = '{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Hi"}],"max_tokens":8,"temperature":0}'
    const reply = await ask(product.port, {
      path: '/v1/chat/completions',
      body,
      headers: { authorization: `Bearer ${product.key}` },
    })
    return JSON.parse(reply.body.toString()).choices
  }
  const before = await probe()
  const statuses = new Map<string, number>()
  let next = 0
  const lane = async () => {
    let wire: Wire | undefined
    while (next < count) {
      const number = next++
      const sent = attempt(seed, number, product.key)
      try {
        wire ??= await openWire(product.port)
        const reply = await outcome(wire, sent)
        const group = `${sent.kind} ${reply?.status ?? 'closed'}`
        statuses.set(group, (statuses.get(group) ?? 0) + 1)
        if (reply !== undefined) judge(reply, sent)
        if (!sent.framed || reply?.header('connection') === 'close') {
          wire[Symbol.dispose]()
          wire = undefined
        }
      } catch (error) {
        const bytes = sent.bytes.toString('latin1')
        throw new Error(`request ${number} of seed ${seed} (${sent.kind}): ${JSON.stringify(bytes.slice(0, 3000))}`, {
          cause: error,
        })
      }
    }
    wire?.[Symbol.dispose]()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  context.diagnostic(
    [...statuses]
      .sort()
      .map(([group, times]) => `${group}: ${times}`)
      .join(', '),
  )
  assert.deepEqual(await probe(), before, 'the server answers as it did before')
  await product.stop()
  const lines = product
    .printed()
    .stderr.split('\n')
    .filter(line => line !== '')
  const wrong = lines.filter(line => JSON.parse(line).level !== 'info')
  assert.deepEqual(wrong, [], 'nothing went wrong that the log knows of')
}

/** The reply, or nothing where bytes that are no request may be met by a closed connection. */
async function outcome(wire: Wire, { bytes, framed, toHead }: Attempt): Promise<RawReply | undefined> {
  wire.write(bytes)
  if (framed) return wire.reply(toHead ? { to: 'HEAD' } : {})
  wire.finish() // a length that lies must not make us wait
  try {
    return await wire.reply()
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('The connection ended')) return undefined
    throw error
  }
}

function judge(reply: RawReply, { toHead }: Attempt): void {
  const { status, body, header } = reply
  assert.ok(
    status === 200 || status === 204 || (status >= 400 && status < 500),
    `${status}: ${body.toString().slice(0, 500)}`,
  )
  if (toHead || status === 204) return
  if (status !== 200) {
    errorOf(reply)
    return
  }
  if (header('content-type') !== 'text/event-stream') {
    assert.equal(header('content-type'), 'application/json')
    assert.ok(!('error' in JSON.parse(body.toString())))
    return
  }
  const frames = body.toString().split('\n\n')
  assert.deepEqual(frames.splice(-2), ['data: [DONE]', ''], body.toString().slice(-500))
  for (const frame of frames) {
    const event = JSON.parse(frame.slice('data: '.length))
    if ('error' in event) assert.fail(checked(event.error).message)
  }
}
