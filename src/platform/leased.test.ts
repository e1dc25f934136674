import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { testCall } from '../../test/hostile/sinks.ts'
import { scriptedEngine } from '../engines/scripted.ts'
import { leased } from './leased.ts'

const request = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] }

/** An engine that speaks two words, the second one after `go`. */
function setting() {
  const { promise: gone, resolve: go } = Promise.withResolvers<void>()
  let words = 0
  const inner = scriptedEngine({ name: 'm', reply: 'one two', wait: () => (words++ === 0 ? Promise.resolve() : gone) })
  let closed = 0
  const close = inner.close.bind(inner)
  inner.close = () => {
    closed++
    return close()
  }
  return { ...leased(inner), go, closed: () => closed }
}

test('an engine that nobody uses is closed as soon as whoever was handed it could have begun', async () => {
  const { retire, closed } = setting()
  const retired = retire()
  assert.equal(closed(), 0)
  await retired
  assert.equal(closed(), 1)
  assert.equal(retire(), retired)
})

test('a request that runs ends on its engine, which is closed then', async () => {
  const { engine, retire, go, closed } = setting()
  const chunks = engine.chat!(request, testCall())[Symbol.asyncIterator]()
  await chunks.next()
  const retired = retire()
  for (let turns = 0; turns < 5; turns++) await turn()
  assert.equal(closed(), 0)
  go()
  let text = ''
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
    text += next.value.choices[0]?.delta.content ?? ''
  assert.match(text, /two/)
  await retired
  assert.equal(closed(), 1)
})

test('a request that begins in the same turn as its engine is replaced is served', async () => {
  const { engine, retire, go, closed } = setting()
  go()
  const retired = retire()
  const chunks = []
  for await (const chunk of engine.chat!(request, testCall())) chunks.push(chunk)
  assert.ok(chunks.length > 2)
  await retired
  assert.equal(closed(), 1)
})

test('closing does not wait, and happens once', async () => {
  const { engine, retire, closed } = setting()
  const retired = retire()
  await engine.close()
  await retired
  assert.equal(closed(), 1)
})
