import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { bytesOf, scriptedModel, stored, tinyModel } from '../../../test/models/make.ts'
import { u32 } from '../../gguf/types.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { Completion, CompletionRequest } from '../../wire/completions.ts'
import { collectChat, collectCompletion } from '../collect.ts'
import type { Call } from '../engine.ts'
import { type LlamaEngine, llamaEngine } from './index.ts'

const pieces = ['Hello', ', ', 'world', '! ', Buffer.from('你🙂'), ' How ', 'are ', 'you?']
const script = scriptedModel(pieces)
/** Ids of the scripted vocabulary: a byte is its own id; then `th`, three control tokens, the start of the reply, its pieces. */
const ids = { endOfText: 257, end: 259, start: 260, hello: 261, world: 263 }
const vocabulary = 261 + pieces.filter(piece => typeof piece === 'string').length
/** Of the tiny model: 256 bytes, 96 merges, three control tokens, of which the first and the last end a reply. */
const tinyVocabulary = 355
const ends = new Set([352, 354])
const noEnd = Object.fromEntries([...ends].map(id => [id, -100]))
const start = '<|im_start|>assistant\n'
/** What the right token's logit is above all others, which are 0; the weights are rounded to half precision. */
const peak = 2 * Math.sqrt(64 * Math.ceil(vocabulary / 64))
const rounding = 0.1

const engines: LlamaEngine[] = []
const engine = async (file: string, slots = 4): Promise<LlamaEngine> => {
  const made = llamaEngine({ name: 'm', file, threads: 1, context: 2048, slots, clock: systemClock, log: silentLog })
  engines.push(made)
  return made
}
const scripted = await engine(await stored(bytesOf(script)))
const tiny = await engine(await stored(bytesOf(tinyModel())))
after(() => Promise.all(engines.map(one => one.close())))

const makeCall = (): Call => ({
  id: 'cmpl-1',
  created: 1,
  signal: new AbortController().signal,
  log: silentLog,
  seed: 3,
  meter: { input() {}, output() {} },
})
function complete(on: LlamaEngine, request: Omit<CompletionRequest, 'model'>): Promise<Completion> {
  assert.ok(on.complete)
  return collectCompletion(on.complete({ model: 'm', ...request }, makeCall()))
}
const text = async (on: LlamaEngine, request: Omit<CompletionRequest, 'model'>) =>
  (await complete(on, request)).choices[0]?.text
const logprobs = async (on: LlamaEngine, request: Omit<CompletionRequest, 'model'>) => {
  const [choice] = (await complete(on, request)).choices
  assert.ok(choice?.logprobs)
  const { tokens = [], token_logprobs = [], top_logprobs, text_offset = [] } = choice.logprobs
  return { text: choice.text, finish: choice.finish_reason, tokens, token_logprobs, top_logprobs, text_offset }
}
function chat(on: LlamaEngine, more: Partial<ChatRequest>) {
  assert.ok(on.chat)
  return collectChat(on.chat({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...more }, makeCall()))
}
const refused = (param: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param], [400, param])
  return true
}
const close = (actual: number | null | undefined, expected: number, tolerance = 1e-4) =>
  assert.ok(
    typeof actual === 'number' && Math.abs(actual - expected) <= tolerance,
    `${actual} is not close to ${expected}`,
  )

describe('penalties', () => {
  // All tokens are equally likely here; at temperature 0 the first of the likeliest is taken.
  const flat = { prompt: 'x', temperature: 0, logit_bias: { 97: 100, 98: 100 } }

  it('count a token once for its presence, and each time for its frequency', async () => {
    assert.equal(await text(scripted, { ...flat, max_tokens: 6 }), 'aaaaaa')
    assert.equal(await text(scripted, { ...flat, max_tokens: 6, presence_penalty: 2 }), 'abaaaa')
    assert.equal(await text(scripted, { ...flat, max_tokens: 6, frequency_penalty: 2 }), 'ababab')
    assert.equal(await text(scripted, { ...flat, max_tokens: 6, frequency_penalty: -2 }), 'aaaaaa')
    const [choice] = (await chat(tiny, { temperature: 0, max_tokens: 40, frequency_penalty: 2 })).choices
    const [plain] = (await chat(tiny, { temperature: 0, max_tokens: 40 })).choices
    assert.notEqual(choice?.message.content, plain?.message.content)
  })

  it('are taken from the logit as OpenAI says', async () => {
    const bias = { 97: 100, 98: 99 }
    const request = { prompt: 'x', temperature: 0, logit_bias: bias, max_tokens: 5 }
    assert.equal(await text(scripted, { ...request, presence_penalty: 0.9 }), 'aaaaa')
    assert.equal(await text(scripted, { ...request, presence_penalty: 1.1 }), 'abaaa')
    // a: 100, 99.4, 98.8 against b: 99.
    assert.equal(await text(scripted, { ...request, frequency_penalty: 0.6 }), 'aabab')
  })

  it('see all that was generated, however long ago, and nothing of the prompt', async () => {
    // Without the bytes that lead on to the end of the script.
    const logit_bias = Object.fromEntries([...Buffer.from('你🙂')].map(byte => [byte, -100]))
    const request = { prompt: 'x', temperature: 0, presence_penalty: 2, max_tokens: 240, logprobs: 0, logit_bias }
    assert.equal(new Set((await logprobs(scripted, request)).tokens).size, 240)
    const bias = { 97: 100, 98: 99 }
    assert.equal(
      await text(scripted, { prompt: 'aaaa', temperature: 0, logit_bias: bias, presence_penalty: 2, max_tokens: 1 }),
      'a',
    )
  })
})

describe('logit_bias', () => {
  it('bans with -100, forces with 100 and shifts in between', async () => {
    const request = { prompt: start, temperature: 0, max_tokens: 1 }
    assert.equal(await text(scripted, request), 'Hello')
    assert.notEqual(await text(scripted, { ...request, logit_bias: { [ids.hello]: -100 } }), 'Hello')
    assert.equal(await text(scripted, { ...request, logit_bias: { [ids.world]: 100 } }), 'world')
    assert.equal(await text(scripted, { ...request, logit_bias: { [ids.world]: peak - 1 } }), 'Hello')
    assert.equal(await text(scripted, { ...request, logit_bias: { [ids.world]: peak + 1 } }), 'world')
    const [choice] = (await chat(scripted, { max_tokens: 1, logit_bias: { [ids.world]: 100 } })).choices
    assert.equal(choice?.message.content, 'world')
  })

  it('moves probabilities by its exponent', async () => {
    // Two tokens in reach, their odds 1 to e.
    const logit_bias = { 97: 50, 98: 51 }
    const { choices } = await complete(scripted, { prompt: 'x', seed: 5, max_tokens: 400, logit_bias })
    const share = [...(choices[0]?.text ?? '')].filter(letter => letter === 'b').length / 400
    close(share, Math.E / (1 + Math.E), 0.07)
  })

  it('refuses ids that the model does not have', async () => {
    for (const key of [String(vocabulary), '99999999999', '-1', 'hello', '1.5'])
      await assert.rejects(text(scripted, { prompt: 'x', logit_bias: { [key]: 1 } }), refused('logit_bias'), key)
    assert.ok(await text(scripted, { prompt: 'x', max_tokens: 1, logit_bias: { [vocabulary - 1]: 100 } }))
  })
})

describe('seed', () => {
  it('gives the same text alone and beside other requests', async () => {
    const request = { prompt: 'Shall I compare', seed: 11, max_tokens: 60 }
    const alone = await text(tiny, request)
    assert.notEqual(await text(tiny, { ...request, seed: 12 }), alone)
    const crowd = [1, 2, 3].map(seed => text(tiny, { prompt: `Rough winds ${seed}`, seed, max_tokens: 90 }))
    const together = await Promise.all([text(tiny, request), text(tiny, request), ...crowd])
    assert.deepEqual(together.slice(0, 2), [alone, alone])
  })
})

describe('logprobs of a chat', () => {
  const certain = -Math.log(1 + (vocabulary - 1) * Math.exp(-peak))

  it('are the model’s own, whatever the settings, with the likeliest tokens and their bytes', async () => {
    const plain = await chat(scripted, { logprobs: true, top_logprobs: 3, seed: 1 })
    const content = plain.choices[0]?.logprobs?.content ?? []
    assert.equal(
      content
        .map(({ token }) => token)
        .slice(0, 4)
        .join('|'),
      'Hello|, |world|! ',
    )
    assert.equal(Buffer.from(content.flatMap(({ bytes }) => bytes ?? [])).toString(), plain.choices[0]?.message.content)
    assert.deepEqual(content[4]?.bytes, [0xe4])
    assert.equal(content[4]?.token, '\\xe4')
    for (const { token, logprob, top_logprobs } of content) {
      close(logprob, certain)
      assert.equal(top_logprobs.length, 3)
      assert.equal(top_logprobs[0]?.token, token)
      close(top_logprobs[1]?.logprob, certain - peak, rounding)
    }
    const hot = await chat(scripted, {
      logprobs: true,
      max_tokens: 1,
      temperature: 2,
      top_p: 0.1,
      logit_bias: { [ids.world]: 100 },
      presence_penalty: 1,
    })
    const [forced] = hot.choices[0]?.logprobs?.content ?? []
    assert.equal(forced?.token, 'world')
    close(forced?.logprob, certain - peak, rounding)
    assert.deepEqual(forced?.top_logprobs, [])
  })

  it('are absent unless asked for', async () => {
    assert.equal((await chat(scripted, {})).choices[0]?.logprobs, null)
  })

  it('leave out what a stop sequence took away', async () => {
    const [choice] = (await chat(scripted, { logprobs: true, stop: 'world' })).choices
    assert.equal(choice?.message.content, 'Hello, ')
    assert.deepEqual(
      choice?.logprobs?.content?.map(({ token }) => token),
      ['Hello', ', '],
    )
    const [inside] = (await chat(scripted, { logprobs: true, stop: 'rld' })).choices
    assert.deepEqual(
      inside?.logprobs?.content?.map(({ token }) => token),
      ['Hello', ', ', 'world'],
    )
  })

  it('travel with the text of their tokens', async () => {
    const chunks = scripted.chat?.(
      { model: 'm', messages: [{ role: 'user', content: 'Hi' }], logprobs: true, top_logprobs: 20 },
      makeCall(),
    )
    let sent = ''
    let told = ''
    for await (const { choices } of chunks ?? []) {
      sent += choices[0]?.delta.content ?? ''
      for (const { token, bytes, top_logprobs } of choices[0]?.logprobs?.content ?? []) {
        assert.equal(top_logprobs.length, 20)
        if (bytes?.every(byte => byte < 128)) told += token
        if (choices[0]?.delta.content && !token.startsWith('\\')) assert.ok(sent.includes(token.trimEnd()))
      }
    }
    assert.equal(told, 'Hello, world!  How are you?')
  })
})

describe('logprobs', () => {
  /** A forced token tells its own logprob, however unlikely it is. */
  const forced = async (prompt: number[], token: number) =>
    (await logprobs(tiny, { prompt, max_tokens: 1, logprobs: 0, logit_bias: { [token]: 100 } })).token_logprobs[0]

  it('sum to one over the whole vocabulary', async () => {
    let sum = 0
    for (let token = 0; token < tinyVocabulary; token += 50) {
      const group = Array.from({ length: Math.min(50, tinyVocabulary - token) }, (_, i) => token + i)
      // A token that ends the reply is not told.
      const found = await Promise.all(group.filter(id => !ends.has(id)).map(id => forced([70, 71], id)))
      for (const one of found) sum += Math.exp(one ?? Number.NaN)
    }
    assert.ok(sum > 0.97 && sum <= 1.0001, String(sum))
  })

  it('are the same for a token that is generated and one that stands in the prompt', async () => {
    const prompt = [70, 300, 71, 290, 9, 310, 128, 80]
    const { token_logprobs } = await logprobs(tiny, { prompt, max_tokens: 0, echo: true, logprobs: 5 })
    for (const [i, one] of token_logprobs.entries())
      if (i > 0) close(await forced(prompt.slice(0, i), prompt[i] ?? 0), one ?? Number.NaN, 1e-3)
  })
})

describe('logprobs of a completion', () => {
  it('say where each token begins, from the start of the prompt', async () => {
    const found = await logprobs(scripted, { prompt: start, temperature: 0, logprobs: 2 })
    assert.deepEqual(found.tokens.slice(3, 6), ['! ', 'bytes:\\xe4', 'bytes:\\xbd'])
    const from = start.length
    assert.deepEqual(
      found.text_offset.map(offset => offset - from),
      [0, 5, 7, 12, 14, 14, 14, 15, 15, 15, 15, 16, 21, 25],
    )
    assert.equal(found.token_logprobs.length, 14)
    for (const top of found.top_logprobs ?? []) assert.equal(Object.keys(top ?? {}).length, 2)
  })

  it('always tell the sampled token, beside as many others as asked for', async () => {
    const request = { prompt: start, temperature: 0, max_tokens: 1, logit_bias: { [ids.world]: 100 } }
    const one = await logprobs(scripted, { ...request, logprobs: 1 })
    assert.deepEqual(Object.keys(one.top_logprobs?.[0] ?? {}), ['Hello', 'world'])
    const none = await logprobs(scripted, { ...request, logprobs: 0 })
    assert.deepEqual([none.top_logprobs, none.tokens], [null, ['world']])
    close(none.token_logprobs[0], -peak, rounding)
  })
})

describe('echo', () => {
  it('sends the prompt first, for texts and for tokens, with every choice', async () => {
    assert.equal(await text(scripted, { prompt: start, echo: true }), `${start}Hello, world! 你🙂 How are you?`)
    assert.equal(await text(scripted, { prompt: [72, 105, ids.start], echo: true, max_tokens: 1 }), `Hi${start}Hello`)
    const { choices, usage } = await complete(scripted, { prompt: ['Ab', 'Cd'], n: 2, echo: true, max_tokens: 0 })
    assert.deepEqual(
      choices.map(choice => [choice.text, choice.finish_reason]),
      ['Ab', 'Ab', 'Cd', 'Cd'].map(one => [one, 'length']),
    )
    assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens], [4, 0])
    // A stop sequence ends the reply, not the prompt.
    assert.equal(await text(scripted, { prompt: `Hello${start}`, echo: true, stop: ', ' }), `Hello${start}Hello`)
  })

  it('tells how likely the prompt was, as evaluation harnesses ask', async () => {
    const prompt = `${start}Hello, world`
    const found = await logprobs(scripted, { prompt, max_tokens: 0, echo: true, logprobs: 1, temperature: 0 })
    assert.deepEqual([found.text, found.finish], [prompt, 'length'])
    assert.deepEqual(found.tokens, [start, 'Hello', ', ', 'world'])
    assert.equal(found.token_logprobs[0], null)
    for (const one of found.token_logprobs.slice(1)) close(one, 0, 1e-3)
    assert.equal(found.top_logprobs?.[0], null)
    assert.deepEqual(Object.keys(found.top_logprobs?.[3] ?? {}), ['world'])
    assert.deepEqual(found.text_offset, [0, 22, 27, 29])
    const wrong = await logprobs(scripted, { prompt: `${start}world`, max_tokens: 0, echo: true, logprobs: 1 })
    close(wrong.token_logprobs[1], -peak, rounding)
    assert.deepEqual(Object.keys(wrong.top_logprobs?.[1] ?? {}), ['Hello', 'world'])
  })

  it('tells the same for a long prompt, beside other requests and after its prompt was cached', async () => {
    const prompt = 'So long as men can breathe or eyes can see, '.repeat(6)
    const request = { prompt, max_tokens: 3, echo: true, logprobs: 0, temperature: 0 }
    await text(tiny, { prompt, max_tokens: 1 })
    const alone = await logprobs(tiny, request)
    assert.ok(alone.tokens.length > 80)
    assert.equal(alone.tokens.length, alone.token_logprobs.length)
    assert.equal(alone.tokens.slice(0, -3).join(''), prompt)
    const [beside] = await Promise.all([logprobs(tiny, request), text(tiny, { prompt: 'x', max_tokens: 60 })])
    assert.deepEqual(beside.tokens, alone.tokens)
    for (const [i, one] of alone.token_logprobs.entries()) if (one !== null) close(beside.token_logprobs[i], one, 1e-3)
  })
})

describe('best_of', () => {
  it('returns the likeliest of many and bills all', async () => {
    const request = { prompt: 'Thou art more', max_tokens: 6, seed: 21, logprobs: 0, temperature: 2 }
    const mean = ({ logprobs }: Completion['choices'][number]) => {
      const all = logprobs?.token_logprobs ?? []
      return all.reduce<number>((sum, one) => sum + (one ?? 0), 0) / all.length
    }
    const all = (await complete(tiny, { ...request, n: 8 })).choices.toSorted((a, b) => mean(b) - mean(a))
    const best = await complete(tiny, { ...request, n: 2, best_of: 8 })
    assert.deepEqual(
      best.choices.map(choice => [choice.index, choice.text]),
      all.slice(0, 2).map((choice, index) => [index, choice.text]),
    )
    assert.equal(best.usage?.completion_tokens, 48)
    const bare = await complete(tiny, { ...request, logprobs: null, prompt: ['Thou art more', 'x'], best_of: 8 })
    assert.deepEqual([bare.choices[0]?.text, bare.choices[0]?.logprobs], [all[0]?.text, null])
    assert.deepEqual(
      bare.choices.map(({ index }) => index),
      [0, 1],
    )
  })

  it('refuses what cannot be', async () => {
    for (const more of [
      { n: 3, best_of: 2 },
      { best_of: 3, stream: true },
      { best_of: 20, prompt: Array(50).fill('x') },
    ])
      await assert.rejects(complete(scripted, { prompt: 'x', ...more }), refused('best_of'))
  })
})

describe('suffix', () => {
  it('fills the middle of models that were made for it', async () => {
    const model = scriptedModel(pieces)
    const [pre, suf, mid] = [ids.endOfText, 258, ids.start]
    const marks = Object.entries({ fim_pre: pre, fim_suf: suf, fim_mid: mid })
    const metadata = {
      ...model.metadata,
      ...Object.fromEntries(marks.map(([name, id]) => [`tokenizer.ggml.${name}_token_id`, u32(id)])),
    }
    const filling = await engine(await stored(bytesOf({ ...model, metadata })))
    const { choices, usage } = await complete(filling, { prompt: 'ab', suffix: 'cde', temperature: 0, max_tokens: 3 })
    // Recites only after the mark of the middle, which stands last.
    assert.equal(choices[0]?.text, 'Hello, world')
    assert.equal(usage?.prompt_tokens, 8)
    assert.notEqual(await text(filling, { prompt: 'ab', temperature: 0, max_tokens: 3 }), 'Hello, world')
    await assert.rejects(complete(filling, { prompt: 'x', suffix: 'y', echo: true }), refused('suffix'))
  })

  it('is refused where the model has no marks for it, and nothing when empty', async () => {
    await assert.rejects(complete(scripted, { prompt: 'x', suffix: 'y' }), refused('suffix'))
    assert.equal(await text(scripted, { prompt: start, suffix: '', max_tokens: 1 }), 'Hello')
  })
})

describe('prompt_cache_key', () => {
  it('leaves to another key what is cached for it, where the rest of the request makes no difference', async () => {
    const own = await engine(await stored(bytesOf(tinyModel())), 2)
    const cached = async (common: string, question: string, prompt_cache_key: string | null) => {
      const messages: ChatRequest['messages'] = [
        { role: 'system', content: common.repeat(40) },
        { role: 'user', content: question },
      ]
      const { usage } = await chat(own, { messages, prompt_cache_key, max_tokens: 40, logit_bias: noEnd })
      return (usage?.prompt_tokens ?? 0) - (usage?.prompt_tokens_details?.cached_tokens ?? 0)
    }
    for (const [common, key, anew] of [
      ['Thou ', 'b', 1],
      ['Art! ', null, 20],
    ] as const) {
      const long = 'more lovely and more temperate'
      await Promise.all([cached(common, `a ${long}`, 'a'), cached(common, `b ${long}`, 'b')])
      await cached(common, 'c', key)
      const decoded = await cached(common, `a ${long}`, 'a')
      assert.ok(anew === 1 ? decoded === 1 : decoded >= anew, `${decoded} tokens were decoded anew`)
    }
  })
})
