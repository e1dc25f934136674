import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '../../lib/faults.ts'
import { callWith, house, isFault, type Model } from './harness.ts'

const busy = isFault(503, 'engine_overloaded', /memory for it is taken by models that are busy.*10s/)

describe('residency: making room', () => {
  test('the least recently used idle model goes first, and no more than have to', async () => {
    const { model, told } = house(30)
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => model(name)) as [Model, Model, Model, Model]
    for (const one of [a, b, c, a]) await one.use()
    told.length = 0
    await d.use() // b is the one not used for longest
    await c.use()
    assert.deepEqual(told, ['unload b', 'load d'])
    await b.use() // now a
    assert.deepEqual(told, ['unload b', 'load d', 'unload a', 'load b'])
  })

  test('as many go as the new one needs', async () => {
    const { model, told } = house(30)
    for (const name of ['a', 'b', 'c']) await model(name).use()
    told.length = 0
    await model('large', { size: 20 }).use()
    assert.deepEqual(told, ['unload a', 'unload b', 'load large'])
  })

  test('a busy model is never unloaded for another, however long it was not asked', async () => {
    const { model, told } = house(20)
    const [a, b, c] = ['a', 'b', 'c'].map(name => model(name)) as [Model, Model, Model]
    const running = a.begin()
    await running.first
    await b.use()
    await c.use()
    assert.deepEqual(told, ['load a', 'load b', 'unload b', 'load c'])
    await running.end()
  })

  test('when all are busy the request waits for the first that is not', async () => {
    const { model, told } = house(10)
    const [a, b] = [model('a'), model('b')]
    const running = a.begin()
    await running.first
    const waiting = b.begin()
    await turn()
    assert.deepEqual(told, ['load a'])
    await running.end()
    assert.equal((await waiting.first).done, false)
    assert.deepEqual(told, ['load a', 'unload a', 'load b'])
  })

  test('it waits no longer than its time, is told so, and nothing was unloaded for it', async () => {
    const { model, told, time, state } = house(10, { patienceMs: 100_000 })
    const [a, b] = [model('a'), model('b')]
    const running = a.begin()
    await running.first
    const waiting = b.begin()
    await turn()
    time.advance(29_999)
    assert.equal(state(b.engine)?.queued, 1)
    time.advance(1)
    await assert.rejects(waiting.first, busy)
    await running.end()
    await a.use()
    assert.deepEqual(told, ['load a'])
  })

  test('a request whose model is already loading waits longer than that', async () => {
    const { model, time } = house(10)
    const one = model('one', { slow: ['load'] })
    const request = one.begin()
    await turn()
    time.advance(30_000)
    one.let('load')
    assert.equal((await request.first).done, false)
  })

  test('not more wait than the queue holds', async () => {
    const { model } = house(10, { queue: 2 })
    const running = model('a').begin()
    await running.first
    const b = model('b')
    const waiting = [b.begin(), b.begin()]
    await assert.rejects(b.begin().first, isFault(503, 'engine_overloaded', /queue is full/))
    await running.end()
    for (const { first } of waiting) assert.equal((await first).done, false)
  })

  test('a request that is aborted while it waits ends at once, and its model is not loaded', async () => {
    const { model, told, state } = house(10)
    const [a, b] = [model('a'), model('b')]
    const running = a.begin()
    await running.first
    const abort = new AbortController()
    const waiting = b.begin(abort.signal)
    await turn()
    abort.abort()
    assert.equal((await waiting.first).done, true)
    assert.equal(state(b.engine)?.queued, 0)
    await running.end()
    await turn()
    assert.deepEqual(told, ['load a'])
  })

  test('an aborted request without a stream ends with the reason', async () => {
    const { model } = house(10)
    const one = model('one', { slow: ['load'] })
    const abort = new AbortController()
    const asked = one.engine.embed!({ model: 'one', input: 'Hi' }, callWith(abort.signal))
    await turn()
    abort.abort(new Error('gone'))
    await assert.rejects(asked, /gone/)
  })

  test('a model that was loaded for a request that left stays for others', async () => {
    const { model, told, state } = house(10)
    const one = model('one', { slow: ['load'] })
    const abort = new AbortController()
    const left = one.begin(abort.signal)
    await turn()
    abort.abort()
    assert.equal((await left.first).done, true)
    one.let('load')
    await turn()
    assert.deepEqual([state(one.engine)?.state, state(one.engine)?.running], ['ready', 0])
    await one.use()
    assert.deepEqual(told, ['load one'])
  })

  test('a large model is not overtaken by smaller ones that would fit before it', async () => {
    const { model, told } = house(20)
    const [a, large, small] = [model('a'), model('large', { size: 20 }), model('small')]
    const running = a.begin()
    await running.first
    const first = large.begin()
    await turn()
    const second = small.begin()
    await turn()
    assert.deepEqual(told, ['load a'])
    await running.end()
    await first.first
    await first.end()
    await second.first
    assert.deepEqual(told, ['load a', 'unload a', 'load large', 'unload large', 'load small'])
  })

  test('a model that is always busy makes room in the end: new requests for it wait behind the other model', async () => {
    const { model, told, time, state } = house(10)
    const [a, b] = [model('a'), model('b')]
    const first = a.begin()
    await first.first
    time.advance(1_000_000)
    const waiting = b.begin()
    await turn()
    time.advance(4999)
    const second = a.begin() // not patient enough yet: it runs
    assert.equal((await second.first).done, false)
    time.advance(1)
    const third = a.begin()
    await first.end()
    await second.end()
    assert.equal((await waiting.first).done, false)
    assert.deepEqual(told, ['load a', 'unload a', 'load b'])
    assert.equal(state(a.engine)?.queued, 1)
    await waiting.end()
    assert.equal((await third.first).done, false)
  })

  test('a model that was just loaded is left alone for a while, so that two do not chase one another', async () => {
    const { model, time, state, told } = house(10)
    const [a, b] = [model('a', { slow: ['load'] }), model('b')]
    const running = a.begin()
    const waiting = b.begin()
    await turn()
    time.advance(20_000) // loading took long
    a.let('load')
    await running.first
    time.advance(4999)
    const more = a.begin()
    assert.equal((await more.first).done, false)
    time.advance(1)
    const late = a.begin()
    await turn()
    assert.equal(state(a.engine)?.queued, 1)
    for (const { end } of [running, more]) await end()
    await waiting.first
    assert.deepEqual(told, ['load a', 'unload a', 'load b'])
    await waiting.end()
    await turn()
    a.let('load')
    await late.first
  })

  test('when nobody waits any more, a model that was to leave stays', async () => {
    const { model, time, told } = house(10)
    const [a, b] = [model('a'), model('b')]
    const running = a.begin()
    await running.first
    const abort = new AbortController()
    const waiting = b.begin(abort.signal)
    await turn()
    time.advance(5000)
    const behind = a.begin()
    await turn()
    abort.abort()
    assert.equal((await waiting.first).done, true)
    assert.equal((await behind.first).done, false)
    await running.end()
    await behind.end()
    await turn()
    assert.deepEqual(told, ['load a'])
  })
})

describe('residency: the budget', () => {
  test('a model that alone is too large is refused with both numbers and the setting, and nothing goes for it', async () => {
    const { model, told } = house(3_000_000_000)
    await model('small', { size: 1_000_000_000 }).use()
    await assert.rejects(model('huge', { size: 9_000_000_000 }).begin().first, (error: unknown) => {
      assert.ok(error instanceof Fault)
      assert.deepEqual([error.status, error.code, error.headers['x-should-retry']], [500, 'model_too_large', 'false'])
      assert.match(error.message, /'huge' needs 9\.0 GB .* 3\.0 GB\. .*`context` or `slots`.*`model_memory_bytes`/)
      return true
    })
    assert.deepEqual(told, ['load small'])
  })

  test('an estimate that was too low is corrected: idle models go, and the next load knows better', async () => {
    const { model, told, residency } = house(30)
    const [a, b, wrong] = [model('a'), model('b'), model('wrong', { estimate: 10, size: 20 })]
    await a.use()
    await b.use()
    await wrong.use()
    await turn()
    assert.deepEqual(told, ['load a', 'load b', 'load wrong', 'unload a'])
    assert.equal(residency.memory().usedBytes, 30)
    await residency.unload(wrong.engine)
    await a.use()
    told.length = 0
    await wrong.use()
    assert.deepEqual(told, ['unload b', 'load wrong'])
  })

  test('an estimate that was too high is corrected too', async () => {
    const { model, told } = house(30)
    const wrong = model('wrong', { estimate: 30, size: 10 })
    await wrong.use()
    await model('a', { size: 20 }).use()
    assert.deepEqual(told, ['load wrong', 'load a'])
  })

  test('a model that turns out to be larger than the budget goes again at once, and is not loaded a second time', async () => {
    const { model, told } = house(30)
    const wrong = model('wrong', { estimate: 10, size: 40 })
    const tooLarge = isFault(500, 'model_too_large', /needs 40 bytes/)
    await assert.rejects(wrong.begin().first, tooLarge)
    await turn()
    await assert.rejects(wrong.begin().first, tooLarge)
    assert.deepEqual(told, ['load wrong', 'unload wrong'])
  })

  test('a file that tells nothing is loaded, and its size known afterwards', async () => {
    const { model, state } = house(30)
    const odd = model('odd', { estimate: undefined })
    await odd.use()
    assert.deepEqual([state(odd.engine)?.bytes, state(odd.engine)?.estimatedBytes], [10, undefined])
  })

  test('models that grow while they work make idle ones go, but not the one that works', async () => {
    const { model, time, told } = house(30)
    const [a, b] = [model('a'), model('b')]
    await a.use()
    await b.use()
    b.status.bytes = 25
    time.advance(1000)
    await b.use()
    await turn()
    assert.deepEqual(told, ['load a', 'load b', 'unload a'])
    b.status.bytes = 40
    time.advance(1000)
    await b.use()
    assert.deepEqual(told, ['load a', 'load b', 'unload a'])
  })
})
