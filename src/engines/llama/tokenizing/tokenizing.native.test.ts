import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesOf, stored, tinyModel } from '../../../../test/models/make.ts'
import { watchTurns } from '../../../../test/support/held.ts'
import { systemClock } from '../../../lib/clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { packageRoot } from '../../../lib/modules.ts'
import type { ChatRequest } from '../../../wire/chat.ts'
import type { Call } from '../../engine.ts'
import { eachPiece, type TokenIds } from '../../tokenizer.ts'
import { type LlamaEngine, llamaEngine } from '../index.ts'

const make = (file: string): LlamaEngine =>
  llamaEngine({ name: 'local', file, threads: 1, clock: systemClock, log: silentLog })
const shipped = join(packageRoot(import.meta.url), 'models', 'parlance-tiny-1.gguf')
const mixed = 'Count to 7, 世界 🦜 <|im_end|>\n  code();'

for (const [name, file] of [
  ['the model that ships inside', shipped],
  ['a small model', await stored(bytesOf(tinyModel()))],
] as const)
  describe(`the tokenizer of ${name}`, () => {
    const engine = make(file)
    after(() => engine.close())
    const { tokenizer } = engine
    const ids = tokenizer.ids as TokenIds

    it('gives ids, count, pieces and text that fit together, and loads no weights for it', async () => {
      const tokens = await ids.encode(mixed, false)
      assert.equal(await tokenizer.count(mixed), tokens.length)
      assert.equal(await ids.decode(tokens), mixed)
      const pieces = [...eachPiece(await ids.pieces(tokens))]
      assert.equal(pieces.length, tokens.length)
      assert.equal(pieces.join(''), mixed)
      assert.deepEqual([await tokenizer.count(''), (await ids.encode('', false)).length], [0, 0])
      assert.equal(await ids.decode(new Uint32Array()), '')
      assert.deepEqual([engine.pid, engine.status().state], [undefined, 'idle'])
    })

    it('counts a chat as the usage of its reply does', async () => {
      const { countChat } = tokenizer
      assert.ok(countChat !== undefined)
      const chats: ChatRequest['messages'][] = [
        [{ role: 'user', content: 'Count to 7' }],
        [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: [{ type: 'text', text: `${mixed} ` }] },
          { role: 'assistant', content: 'ok' },
          { role: 'user', content: 'again' },
        ],
      ]
      for (const messages of chats) {
        const request: ChatRequest = { model: 'local', messages, max_tokens: 1 }
        assert.deepEqual(await countChat(request), { tokens: await promptTokens(engine, request), assumptions: [] })
      }
    })

    it('takes no number that is no token', async () => {
      const tokens = Uint32Array.of(5, 4_000_000)
      for (const ask of [ids.decode, ids.pieces])
        await assert.rejects(ask(tokens), { status: 400, code: 'unknown_token', message: /Token 4000000 / })
    })

    it('takes spellings of control tokens for text, unless they are asked for', async () => {
      const [text, control] = [await ids.encode('<|im_end|>', false), await ids.encode('<|im_end|>', true)]
      assert.ok(text.length > control.length && control.length === 1)
      assert.equal(await ids.decode(control), '<|im_end|>')
    })
  })

describe('a long text', () => {
  const engine = make(shipped)
  after(() => engine.close())
  const ids = engine.tokenizer.ids as TokenIds
  const long = `${'的'.repeat(999)} `.repeat(1000)

  it('holds up neither the replies of the model nor the event loop', async () => {
    await engine.load()
    await engine.tokenizer.count('a')
    const turns = watchTurns()
    let done = false
    const counting = ids.encode(long, false).finally(() => {
      done = true
    })
    await promptTokens(engine, { model: 'local', messages: [{ role: 'user', content: 'Count to 7' }], max_tokens: 8 })
    assert.ok(!done, 'the reply came first')
    const tokens = await counting
    assert.equal(tokens.length, await engine.tokenizer.count(long))
    assert.equal(await ids.decode(tokens), long)
    const held = turns.heldMillisMax()
    assert.ok(held <= 20, `${held} ms`)
  })

  it('ends with its reader, and the next one is counted', async () => {
    const left = new AbortController()
    const counting = ids.encode(long, false, left.signal)
    const waiting = engine.tokenizer.count('Count to 7')
    setImmediate(() => left.abort(new Error('left')))
    await assert.rejects(counting, /left/)
    assert.equal(await waiting, (await ids.encode('Count to 7', false)).length)
  })

  it('is one of at most 64 that wait', async () => {
    const left = new AbortController()
    const counts = Array.from({ length: 70 }, () => engine.tokenizer.count(long, left.signal))
    const results = Promise.allSettled(counts)
    setTimeout(() => left.abort(new Error('left')), 50)
    const reasons = (await results).map(result => (result.status === 'rejected' ? result.reason.code : 'counted'))
    assert.equal(reasons.filter(code => code === 'engine_overloaded').length, 5)
  })
})

it('a model without a chat template says that it cannot chat', async () => {
  const engine = make(await stored(bytesOf(tinyModel({ template: null }))))
  await assert.rejects(
    async () => engine.tokenizer.countChat?.({ model: 'm', messages: [{ role: 'user', content: 'a' }] }),
    {
      code: 'model_not_supported',
    },
  )
  await engine.close()
})

it('a file that is no sound model is a fault that names no path, and a closed engine counts nothing', async () => {
  for (const file of [join(packageRoot(import.meta.url), 'nothing.gguf'), await stored(Buffer.from('no model'))]) {
    const engine = make(file)
    await assert.rejects(engine.tokenizer.count('a'), { code: 'model_load_failed', message: /^(?!.*\/)/ })
    await engine.close()
    await assert.rejects(engine.tokenizer.count('a'), { code: 'model_closed' })
  }
})

/** What the usage of a reply says. */
async function promptTokens(engine: LlamaEngine, request: ChatRequest): Promise<number> {
  let tokens = 0
  const call: Call = {
    id: 'chatcmpl-1',
    created: 1,
    signal: new AbortController().signal,
    log: silentLog,
    seed: 1,
    meter: { input: () => {}, output: () => {} },
  }
  for await (const { usage } of engine.chat?.(request, call) ?? []) tokens = usage?.prompt_tokens ?? tokens
  return tokens
}
