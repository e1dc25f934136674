/**
 * Several streams as one, each item when it comes. At most `limit` run at once, started in their order. The first failure ends all.
 */
export async function* merged<Item>(
  streams: readonly (() => AsyncIterable<Item>)[],
  limit: number,
): AsyncGenerator<Item> {
  const running = new Map<AsyncIterator<Item>, Promise<Came<Item>>>()
  const ask = (iterator: AsyncIterator<Item>) => {
    running.set(
      iterator,
      iterator.next().then(result => ({ iterator, result })),
    )
  }
  let started = 0
  const fill = () => {
    while (running.size < limit) {
      const stream = streams[started]
      if (stream === undefined) return
      started++
      ask(stream()[Symbol.asyncIterator]())
    }
  }
  try {
    for (fill(); running.size > 0; fill()) {
      const { iterator, result } = await Promise.race(running.values())
      running.delete(iterator)
      if (result.done === true) continue
      ask(iterator)
      yield result.value
    }
  } finally {
    for (const came of running.values()) came.catch(() => undefined) // the first failure is told
    await Promise.allSettled([...running.keys()].map(iterator => iterator.return?.()))
  }
}

interface Came<Item> {
  readonly iterator: AsyncIterator<Item>
  readonly result: IteratorResult<Item>
}
