import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call, Engine, Relayed, Sink } from '../../engines/engine.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { silentLog } from '../../lib/log.ts'
import { held } from './held.ts'

/** An engine behind HTTP whose model is of this machine, and how many requests it is kept for. */
function relaying(relay: () => Promise<Relayed>, enters = true) {
  let stays = 0
  const engine: Engine = {
    name: 'near',
    accepts: 'everything',
    abilities: new Set(['chat']),
    chat: (request, call) => scriptedEngine().chat!(request, call),
    relay,
    status: () => ({ state: 'ready' }),
    close: async () => {},
  }
  const outside = held(engine, {
    async enter() {
      if (enters) stays++
      return enters
    },
    leave: () => void stays--,
    close: async () => {},
  })
  return { outside, stays: () => stays }
}

function callWith(signal: AbortSignal): Call {
  return { id: '1', created: 1, signal, log: silentLog, seed: 1, meter: { input() {}, output() {} } }
}
const call = () => callWith(new AbortController().signal)
const sink: Sink = { write: () => true, drained() {} }

test('everything that an engine has is there, but what only the platform may use', async () => {
  const unused = () => Promise.reject(new Error('unused'))
  const whole: Required<Engine> = {
    name: 'whole',
    abilities: new Set(['chat']),
    accepts: 'known',
    takes: { images: true },
    chat: (request, of) => scriptedEngine().chat!(request, of),
    complete: (request, of) => scriptedEngine().complete!(request, of),
    embed: unused,
    rerank: unused,
    relay: unused,
    tokenizer: { name: 'whole', assumptions: [], count: unused },
    resident: { estimateBytes: unused, bytes: () => 0, load: unused, unload: unused },
    status: () => ({ state: 'ready', detail: 'told' }),
    close: unused,
  }
  const outside = held(whole, { enter: async () => true, leave() {}, close: async () => {} })
  assert.deepEqual(
    Object.keys(outside).sort(),
    Object.keys(whole)
      .filter(key => key !== 'resident')
      .sort(),
  )
  const { name, abilities, accepts, takes, tokenizer } = outside
  assert.deepEqual(
    [name, abilities, accepts, takes, tokenizer],
    [whole.name, whole.abilities, whole.accepts, whole.takes, whole.tokenizer],
  )
  assert.deepEqual(outside.status(), { state: 'ready', detail: 'told' })
})

test('a relayed document lets go of the model when it is there', async () => {
  const bytes = Buffer.from('{}')
  const { outside, stays } = relaying(async () => ({ kind: 'json', bytes }))
  assert.deepEqual(await outside.relay!('/completions', {}, call()), { kind: 'json', bytes })
  assert.equal(stays(), 0)
})

test('a relayed stream keeps the model until it has been passed on', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const { outside, stays } = relaying(async () => ({ kind: 'stream', pipe: () => promise }))
  const relayed = await outside.relay!('/chat/completions', {}, call())
  assert.ok(relayed.kind === 'stream')
  const passed = relayed.pipe(sink)
  assert.equal(stays(), 1)
  resolve(undefined)
  await passed
  assert.equal(stays(), 0)
})

test('a relayed stream that breaks, or that nobody reads, lets go of it once', async () => {
  const abort = new AbortController()
  const broken = relaying(async () => ({ kind: 'stream', pipe: () => Promise.reject(new Error('broken')) }))
  const relayed = await broken.outside.relay!('/completions', {}, callWith(abort.signal))
  assert.ok(relayed.kind === 'stream')
  await assert.rejects(relayed.pipe(sink), /broken/)
  abort.abort()
  assert.equal(broken.stays(), 0)

  const left = new AbortController()
  const unread = relaying(async () => ({ kind: 'stream', pipe: async () => {} }))
  await unread.outside.relay!('/completions', {}, callWith(left.signal))
  assert.equal(unread.stays(), 1)
  left.abort()
  assert.equal(unread.stays(), 0)
})

test('a relay that is refused, and one that never got its model, keep nothing', async () => {
  const refused = relaying(() => Promise.reject(new Error('no')))
  await assert.rejects(refused.outside.relay!('/embeddings', {}, call()), /no/)
  assert.equal(refused.stays(), 0)
  const never = relaying(() => Promise.reject(new Error('asked')), false)
  await assert.rejects(never.outside.relay!('/embeddings', {}, callWith(AbortSignal.abort(new Error('left')))), /left/)
})

test('a stream that is left before it was read asks for no model', async () => {
  const { outside, stays } = relaying(() => Promise.reject(new Error('unused')))
  const iterator = outside.chat!({ model: 'm', messages: [] }, call())[Symbol.asyncIterator]()
  await iterator.return?.()
  assert.equal(stays(), 0)
})
