import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ReplyText } from './text.ts'

/** Tokens are bytes. */
const decode = (tokens: number[]) => Buffer.from(tokens).toString('utf8')
const bytes = (text: string) => [...Buffer.from(text)]

function pushAll(reply: ReplyText, tokens: readonly number[]) {
  return tokens.map(token => reply.push(token).text)
}

describe('reply text', () => {
  it('holds bytes back until a character is complete', () => {
    const reply = new ReplyText(decode, [], [])
    assert.deepEqual(pushAll(reply, bytes('a世🙂')), ['a', '', '', '世', '', '', '', '🙂'])
    assert.equal(reply.end(), '')
  })

  it('sends the whole characters of a token that ends inside one', () => {
    const world = bytes('世界')
    const table = new Map([
      [1, world.slice(0, 4)],
      [2, world.slice(4, 5)],
      [3, [...world.slice(5), ...bytes('界').slice(0, 1)]],
      [4, bytes('界').slice(1)],
    ])
    const reply = new ReplyText(tokens => decode(tokens.flatMap(token => table.get(token) ?? [])), [], [])
    assert.deepEqual(pushAll(reply, [1, 2, 3, 4]), ['世', '', '界', '界'])
  })

  it('shows bytes that are no character as U+FFFD, but leaves out a beginning at the very end', () => {
    const reply = new ReplyText(decode, [], [])
    assert.equal(pushAll(reply, [0xff, 0xff, 0x41, 0xe4, 0xb8]).join(''), '\ufffd\ufffdA')
    assert.equal(reply.end(), '')
  })

  it('keeps the space that a tokenizer drops at the start of a text', () => {
    const words = ['', 'Hello', ' world', ' again']
    const trimming = (tokens: number[]) =>
      tokens
        .map(token => words[token])
        .join('')
        .trimStart()
    const reply = new ReplyText(trimming, [1], [])
    assert.deepEqual(pushAll(reply, [2, 3]), [' world', ' again'])
  })

  it('finds a stop sequence that is split over tokens, inside characters too', () => {
    const reply = new ReplyText(decode, [], ['界!'])
    const sent = bytes('世界').map(token => reply.push(token))
    assert.equal(sent.map(({ text }) => text).join(''), '世')
    assert.deepEqual(reply.push(0x21), { text: '', stopped: true })
  })

  it('gives what it held back when the reply ends', () => {
    const reply = new ReplyText(decode, [], ['abc'])
    assert.deepEqual(pushAll(reply, bytes('xab')), ['x', '', ''])
    assert.equal(reply.end(), 'ab')
  })
})
