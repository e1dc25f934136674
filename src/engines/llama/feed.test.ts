import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Feed, feedBounds } from './feed.ts'
import type { Event } from './protocol.ts'

const piece = (tokens: number): Event => ({ kind: 'text', id: 1, choice: 0, text: 'x', tokens })

describe('feed', () => {
  it('pauses the request of a slow reader and lets it go on when the reader has caught up', async () => {
    const told: string[] = []
    const feed = new Feed(what => told.push(what))
    for (let i = 0; i < feedBounds.pauseAt + 10; i++) feed.push(piece(i))
    assert.deepEqual(told, ['pause'])
    while (told.length === 1) await feed.next()
    assert.deepEqual(told, ['pause', 'resume'])
  })

  it('gives what is buffered before the error', async () => {
    const feed = new Feed(() => {})
    feed.push(piece(1))
    feed.fail(new Error('gone'))
    assert.deepEqual(await feed.next(), piece(1))
    await assert.rejects(feed.next(), /gone/)
  })

  it('ends a waiting reader at once, without an error', async () => {
    const feed = new Feed(() => {})
    const waiting = feed.next()
    feed.close()
    assert.equal(await waiting, undefined)
    feed.push(piece(1))
    assert.equal(await feed.next(), undefined)
  })
})
