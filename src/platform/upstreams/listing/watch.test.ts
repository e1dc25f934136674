import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Upstream as Fake, startUpstream } from '../../../../test/support/upstream.ts'
import { silentLog } from '../../../lib/log.ts'
import { seededRandom } from '../../../lib/random.ts'
import { manualTime } from '../../../lib/timers.ts'
import { waitMs } from '../health/state.ts'
import { knownUpstreams, upstreamOf } from './listing.fixture.ts'
import { watchUpstreams } from './watch.ts'

let fake: Fake
before(async () => {
  fake = await startUpstream()
})
after(() => fake.close())
beforeEach(() => {
  fake.models = ['a', 'b']
})

const east = (more = {}) => upstreamOf('east', { base_url: fake.baseUrl, api_key: fake.key, ...more })

const stepMs = 1000

function watching(...all: ReturnType<typeof east>[]) {
  const known = knownUpstreams(all)
  let reading = 0
  const upstreams = {
    ...known,
    line(name: string) {
      const line = known.line(name)
      reading++
      const close = async () => {
        await line.close()
        reading--
      }
      return { ...line, close }
    },
  }
  const time = manualTime()
  const learned: [string, readonly string[]][] = []
  const watch = watchUpstreams({
    upstreams,
    ...{ clock: time, timers: time, random: seededRandom(1), log: silentLog },
    learned: ({ name }, models) => learned.push([name, models]),
  })
  /** Moves the time until something has been found out anew; stops while somebody is asked, whose time must not pass. */
  const next = async (withinMs: number) => {
    const before = upstreams.findings('east')
    for (let passedMs = 0; passedMs <= withinMs; passedMs += stepMs) {
      time.advance(stepMs)
      while (reading > 0) await turn()
      await turn()
      if (upstreams.findings('east') !== before) return upstreams.findings('east')
    }
    throw new Error(`Nothing was found out within ${withinMs} ms.`)
  }
  return { upstreams, time, watch, learned, next }
}

test('without upstreams nothing is asked and nothing waits', async () => {
  const { watch, time } = watching()
  watch.start()
  assert.equal(time.pending(), 0)
  await watch.close()
})

test('a list is read soon after the start, and again every ten minutes', async () => {
  const { watch, learned, next, time } = watching(east())
  watch.start()
  const first = await next(2000)
  assert.deepEqual([first.health.state, first.models], ['ready', ['a', 'b']])
  fake.models = ['b', 'c']
  assert.deepEqual((await next(660_000)).models, ['b', 'c'])
  assert.deepEqual(learned, [
    ['east', ['a', 'b']],
    ['east', ['b', 'c']],
  ])
  await watch.close()
  assert.equal(time.pending(), 0)
})

test('a list that cannot be read keeps the last one, and is tried again soon and then less and less', async () => {
  const { watch, next } = watching(east())
  watch.start()
  await next(2000)
  fake.models = undefined
  const gone = await next(660_000)
  assert.deepEqual([gone.health.state, gone.models], ['ready', ['a', 'b']]) // it lives, but has no list any more
  assert.match(gone.health.detail ?? '', /does not know a list/)
  await watch.close()
})

test('the wait doubles from failure to failure up to the usual one, with some chance in it', () => {
  const middle = 2 ** 31
  assert.deepEqual(
    [0, 1, 2, 3, 7, 8, 60].map(failures => waitMs(600_000, failures, middle)),
    [600_000, 5000, 10_000, 20_000, 320_000, 600_000, 600_000],
  )
  assert.ok(waitMs(1000, 0, 0) === 900 && waitMs(1000, 0, 2 ** 32 - 1) === 1100)
})

test('an upstream that refuses its key is failed, and well again after the next good look', async () => {
  const { watch, upstreams, next } = watching(east({ api_key: 'sk-wrong' }))
  watch.start()
  const refused = await next(2000)
  assert.deepEqual([refused.health.state, refused.models], ['failed', null])
  upstreams.put(east())
  assert.deepEqual((await next(1)).health.state, 'ready')
  await watch.close()
})

test('other settings of the same server leave its models as they are; another server has none yet', async () => {
  const { watch, upstreams, next } = watching(east())
  watch.start()
  await next(2000)
  upstreams.put(east({ expose: 'all' }))
  assert.deepEqual(upstreams.findings('east').models, ['a', 'b'])
  upstreams.put(east({ base_url: 'http://127.0.0.1:9/v1' }))
  assert.equal(upstreams.findings('east').models, null)
  await watch.close()
})

test('an upstream that is added is looked at at once; one with 0 is left alone', async () => {
  const { watch, upstreams, time, next } = watching(east({ models_refresh_ms: 0 }))
  watch.start()
  assert.equal(time.pending(), 0)
  upstreams.put(east({ models_refresh_ms: 1000 }))
  assert.deepEqual((await next(0)).models, ['a', 'b'])
  await watch.close()
})
