import assert from 'node:assert/strict'
import { test } from 'node:test'
import { merged } from './merge.ts'

/** A stream that is fed by hand. */
function tap<Item>() {
  const waiting: PromiseWithResolvers<IteratorResult<Item>>[] = []
  let left = false
  const stream = {
    [Symbol.asyncIterator]: () => ({
      next() {
        const turn = Promise.withResolvers<IteratorResult<Item>>()
        waiting.push(turn)
        return turn.promise
      },
      async return(): Promise<IteratorResult<Item>> {
        left = true
        return { done: true, value: undefined }
      },
    }),
  }
  return {
    stream,
    started: () => waiting.length > 0,
    left: () => left,
    give: (value: Item) => waiting.shift()?.resolve({ done: false, value }),
    end: () => waiting.shift()?.resolve({ done: true, value: undefined }),
    fail: (error: Error) => waiting.shift()?.reject(error),
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('items come in the order of time, and no more streams run than may', async () => {
  const taps = [tap<string>(), tap<string>(), tap<string>()]
  const seen: string[] = []
  const all = (async () => {
    for await (const item of merged(
      taps.map(
        ({ stream }) =>
          () =>
            stream,
      ),
      2,
    ))
      seen.push(item)
  })()
  await turn()
  assert.deepEqual(
    taps.map(({ started }) => started()),
    [true, true, false],
  )
  taps[1]?.give('b1')
  await turn()
  taps[0]?.give('a1')
  await turn()
  taps[1]?.end()
  await turn()
  assert.deepEqual(
    taps.map(({ started }) => started()),
    [true, false, true],
  )
  taps[2]?.give('c1')
  await turn()
  taps[0]?.end()
  taps[2]?.end()
  await all
  assert.deepEqual(seen, ['b1', 'a1', 'c1'])
})

test('a failure ends all streams and is told', async () => {
  const taps = [tap<string>(), tap<string>()]
  const iterator = merged(
    taps.map(
      ({ stream }) =>
        () =>
          stream,
    ),
    2,
  )
  const first = iterator.next()
  await turn()
  taps[0]?.fail(new Error('broken'))
  await assert.rejects(first, /broken/)
  assert.ok(taps[1]?.left())
})

test('a reader that leaves ends all streams', async () => {
  const taps = [tap<string>(), tap<string>()]
  const iterator = merged(
    taps.map(
      ({ stream }) =>
        () =>
          stream,
    ),
    2,
  )
  const first = iterator.next()
  await turn()
  taps[0]?.give('a')
  assert.deepEqual(await first, { done: false, value: 'a' })
  await iterator.return(undefined)
  assert.deepEqual(
    taps.map(({ left }) => left()),
    [true, true],
  )
})
