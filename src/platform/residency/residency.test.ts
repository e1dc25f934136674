import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { scriptedEngine } from '../../engines/scripted.ts'
import { fault } from '../../lib/faults.ts'
import { callWith, house, isFault, type Model } from './harness.ts'

describe('residency: loading', () => {
  test('a model is loaded when the first request asks for it, and not again', async () => {
    const { model, told, state } = house(10)
    const one = model('one')
    assert.equal(state(one.engine)?.state, 'idle')
    await one.use()
    await one.use()
    assert.deepEqual(told, ['load one'])
  })

  test('requests that come while a model loads wait for the same load', async () => {
    const { model, told, state } = house(10)
    const one = model('one', { slow: ['load'] })
    const requests = [one.begin(), one.begin(), one.begin()]
    await turn()
    assert.deepEqual(told, ['load one'])
    assert.deepEqual([state(one.engine)?.state, state(one.engine)?.queued], ['loading', 3])
    one.let('load')
    for (const { first } of requests) assert.equal((await first).done, false)
    assert.deepEqual([state(one.engine)?.running, state(one.engine)?.queued], [3, 0])
    assert.deepEqual(told, ['load one'])
  })

  test('several models stay side by side as long as they fit, to the last byte', async () => {
    const { model, told, residency } = house(30)
    for (const name of ['a', 'b', 'c']) await model(name).use()
    assert.deepEqual(told, ['load a', 'load b', 'load c'])
    assert.equal(residency.memory().usedBytes, 30)
  })

  test('two that fit load at the same time', async () => {
    const { model, told } = house(20)
    const [a, b] = [model('a', { slow: ['load'] }), model('b', { slow: ['load'] })]
    const requests = [a.begin(), b.begin()]
    await turn()
    assert.deepEqual(told, ['load a', 'load b'])
    b.let('load')
    a.let('load')
    for (const { first } of requests) await first
  })

  test('what is loading counts before it is loaded', async () => {
    const { model, told } = house(19)
    const [a, b] = [model('a', { slow: ['load'] }), model('b')]
    const first = a.begin()
    const second = b.begin()
    await turn()
    assert.deepEqual(told, ['load a'])
    a.let('load')
    await first.first
    await first.end()
    await second.first
    assert.deepEqual(told, ['load a', 'unload a', 'load b'])
  })

  test('a model that does not load tells why to all who wait, and the next request tries again', async () => {
    const { model, told } = house(10)
    const broken = model('broken', { fails: fault.modelLoadFailed('broken', 'it is broken') })
    const failed = isFault(500, 'model_load_failed', /it is broken/)
    const requests = [broken.begin(), broken.begin()]
    for (const { first } of requests) await assert.rejects(first, failed)
    await assert.rejects(broken.begin().first, failed)
    assert.deepEqual(told, ['load broken', 'load broken'])
  })

  test('one that failed gives its room to the next', async () => {
    const { model } = house(10)
    const broken = model('broken', { slow: ['load'], fails: fault.modelLoadFailed('broken', 'it is broken') })
    const failing = assert.rejects(broken.begin().first)
    const next = model('next').begin()
    await turn()
    broken.let('load')
    await failing
    assert.equal((await next.first).done, false)
  })

  test('a model whose process ended by itself is loaded again', async () => {
    const { model, told } = house(10)
    const one = model('one')
    await one.use()
    Object.assign(one.status, { state: 'idle', bytes: 0 })
    await one.use()
    assert.deepEqual(told, ['load one', 'load one'])
  })

  test('an engine that takes no memory here is left as it is', () => {
    const { residency } = house(10)
    const engine = scriptedEngine()
    assert.equal(residency.hold(engine), engine)
    assert.equal(residency.stateOf(engine), undefined)
  })

  test('a request that is no stream keeps its model too, and its failure lets go of it', async () => {
    const { model, state } = house(10)
    const { engine } = model('one')
    const reply = await engine.embed!({ model: 'one', input: 'Hi' }, callWith(new AbortController().signal))
    assert.equal(reply.data.length, 1)
    assert.equal(state(engine)?.running, 0)
    assert.equal(engine.complete, undefined)
  })
})

describe('residency: idle models', () => {
  test('a model goes when nobody asked for it so long, and no earlier', async () => {
    const { model, told, time, state } = house(10)
    const one = model('one')
    await one.use()
    time.advance(59_999)
    await one.use()
    assert.equal(state(one.engine)?.expiresAtMs, time.now() + 60_000)
    time.advance(59_999)
    assert.deepEqual(told, ['load one'])
    time.advance(1)
    assert.deepEqual(told, ['load one', 'unload one'])
  })

  test('a running request keeps its model, however long it runs', async () => {
    const { model, told, time, state } = house(10)
    const one = model('one')
    const running = one.begin()
    await running.first
    time.advance(1_000_000)
    assert.deepEqual([told, state(one.engine)?.expiresAtMs], [['load one'], undefined])
    await running.end()
    time.advance(60_000)
    assert.deepEqual(told, ['load one', 'unload one'])
  })

  for (const [name, ofAll, ofModel, stays] of [
    ['0 for all', 0, undefined, true],
    ['0 for the model', 60_000, 0, true],
    ['less for the model', 0, 1000, false],
  ] as const)
    test(`${name}: it ${stays ? 'stays for ever' : 'goes'}`, async () => {
      const { model, told, time } = house(10, { idleMs: ofAll })
      await model('one', ofModel === undefined ? {} : { idleMs: ofModel }).use()
      time.advance(86_400_000)
      assert.equal(told.includes('unload one'), !stays)
    })

  test('a request that comes while the model is being unloaded waits, and loads it again', async () => {
    const { model, told, time } = house(10)
    const one = model('one', { slow: ['unload'] })
    await one.use()
    time.advance(60_000)
    const request = one.begin()
    await turn()
    assert.deepEqual(told, ['load one', 'unload one'])
    one.let('unload')
    assert.equal((await request.first).done, false)
    assert.deepEqual(told, ['load one', 'unload one', 'load one'])
  })

  test('a request for a model that is being unloaded for another waits until that one is idle', async () => {
    const { model, told } = house(10)
    const [a, b] = [model('a', { slow: ['unload'] }), model('b')]
    await a.use()
    const forB = b.begin()
    await turn()
    const forA = a.begin()
    a.let('unload')
    await forB.first
    assert.deepEqual(told, ['load a', 'unload a', 'load b'])
    await forB.end()
    assert.equal((await forA.first).done, false)
  })
})

describe('residency: by hand', () => {
  test('a model is loaded and unloaded when the operator says so, twice without harm', async () => {
    const { model, told, residency } = house(10)
    const { engine } = model('one')
    const { signal } = new AbortController()
    await residency.unload(engine)
    await residency.load(engine, signal)
    await residency.load(engine, signal)
    await residency.unload(engine)
    await residency.unload(engine)
    assert.deepEqual(told, ['load one', 'unload one'])
  })

  test('a model that is loaded by hand goes after its time, too', async () => {
    const { model, told, residency, time } = house(10)
    await residency.load(model('one').engine, new AbortController().signal)
    time.advance(60_000)
    assert.deepEqual(told, ['load one', 'unload one'])
  })

  test('a model is not unloaded while something needs it', async () => {
    const { model, residency } = house(10)
    const one = model('one', { slow: ['load'] })
    const refused = (says: RegExp) => isFault(409, 'model_busy', says)
    const first = one.begin()
    await turn()
    await assert.rejects(residency.unload(one.engine), refused(/1 requests wait for it/))
    one.let('load')
    await first.first
    await assert.rejects(residency.unload(one.engine), refused(/works on 1 requests/))
    await first.end()
    await residency.unload(one.engine)
  })

  test('an engine that is not held cannot be loaded', async () => {
    const { residency } = house(10)
    await assert.rejects(
      residency.load(scriptedEngine({ name: 'far' }), new AbortController().signal),
      isFault(400, 'model_not_supported', /'far' .*'load'/),
    )
  })
})

describe('residency: the end', () => {
  test('a model that is removed ends who waits for it, and makes room', async () => {
    const { model, residency } = house(10)
    const [a, b, c] = ['a', 'b', 'c'].map(name => model(name)) as [Model, Model, Model]
    const running = a.begin()
    await running.first
    const forB = b.begin()
    const forC = c.begin()
    await turn()
    const closed = isFault(503, 'model_closed', /was closed/)
    const refused = assert.rejects(forB.first, closed)
    await b.engine.close()
    await refused
    await assert.rejects(b.begin().first, closed)
    await a.engine.close()
    assert.equal((await forC.first).done, false)
    assert.deepEqual(
      residency.memory().models.map(({ name }) => name),
      ['c'],
    )
  })

  test('when all close at once, nothing is loaded any more', async () => {
    const { model, told } = house(10)
    const [a, b, c] = ['a', 'b', 'c'].map(name => model(name, { slow: ['load'] })) as [Model, Model, Model]
    const requests = [a, b, c].map(one => one.begin().first)
    const refused = Promise.all(requests.map(first => assert.rejects(first, isFault(503, 'model_closed', /closed/))))
    await turn()
    await Promise.all([a, b, c].map(({ engine }) => engine.close()))
    await refused
    a.let('load') // too late
    await turn()
    await assert.rejects(a.begin().first, isFault(503, 'model_closed', /closed/))
    assert.deepEqual(told, ['load a', 'close a', 'close b', 'close c'])
  })

  test('no timer is left behind', async () => {
    const { model, time } = house(10)
    const [a, b] = [model('a'), model('b')]
    await a.use()
    await b.use()
    assert.equal(time.pending(), 1)
    await a.engine.close()
    await b.engine.close()
    assert.equal(time.pending(), 0)
  })
})
