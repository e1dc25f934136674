import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { brokenFiles, bytesOf, chatml, scriptedModel, stored, tinyModel } from '../../../test/models/make.ts'
import { text } from '../../gguf/types.ts'
import { manualClock, systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { type Log, silentLog } from '../../lib/log.ts'
import { sibling } from '../../lib/modules.ts'
import type { CompletionChunk, CompletionRequest } from '../../wire/completions.ts'
import { engineContract } from '../engine.contract.ts'
import type { Call } from '../engine.ts'
import { retryAfterMs } from './host.ts'
import { type LlamaEngine, type LlamaOptions, llamaEngine } from './index.ts'

/** Recites; after "on and on" the prompt does not end as the recitation needs it, so that the reply has no end. */
const wayward = chatml.replace(
  '{%- if add_generation_prompt %}',
  "{%- if messages[-1].content == 'on and on' %}{{ 'and on' }}{%- elif add_generation_prompt %}",
)
const reply = ['Hello', ', ', 'world', '! ', Buffer.from('你🙂'), ' How ', 'are ', 'you?']
const scripted = await stored(bytesOf(scriptedModel(reply, { template: wayward })))
const tiny = await stored(bytesOf(tinyModel()))
const replyText = 'Hello, world! 你🙂 How are you?'

const make = (options: Partial<LlamaOptions> = {}): LlamaEngine =>
  llamaEngine({
    name: 'scripted',
    file: scripted,
    threads: 1,
    context: 2048,
    clock: systemClock,
    log: silentLog,
    ...options,
  })

/** Runs a check on an engine and closes it, whatever happens. */
async function using(engine: LlamaEngine, check: (engine: LlamaEngine) => Promise<void>): Promise<void> {
  try {
    await check(engine)
  } finally {
    await engine.close()
  }
}

function makeCall(
  signal = new AbortController().signal,
): Call & { told: { input: number; cached: number; output: number } } {
  const told = { input: 0, cached: 0, output: 0 }
  return {
    id: 'cmpl-1',
    created: 1,
    signal,
    log: silentLog,
    seed: 3,
    told,
    meter: {
      input: (tokens, cached = 0) => Object.assign(told, { input: tokens, cached }),
      output: tokens => Object.assign(told, { output: tokens }),
    },
  }
}

async function chat(engine: LlamaEngine, content: string, call = makeCall(), more: object = {}) {
  let text = ''
  let fingerprint: string | undefined
  for await (const chunk of engine.chat?.({ model: 'm', messages: [{ role: 'user', content }], ...more }, call) ?? []) {
    text += chunk.choices[0]?.delta.content ?? ''
    fingerprint = chunk.system_fingerprint
  }
  return { text, fingerprint, ...call.told }
}

async function complete(engine: LlamaEngine, request: Omit<CompletionRequest, 'model'>, call = makeCall()) {
  const chunks: CompletionChunk[] = []
  for await (const chunk of engine.complete?.({ model: 'm', ...request }, call) ?? []) chunks.push(chunk)
  const texts: string[] = []
  for (const { index, text } of chunks.flatMap(chunk => chunk.choices)) texts[index] = (texts[index] ?? '') + text
  return { texts, usage: chunks.at(-1)?.usage, ...call.told }
}

/** Reads one piece of text and leaves the iterator open. */
async function begin(engine: LlamaEngine, request: Omit<CompletionRequest, 'model'>, call = makeCall()) {
  const chunks = engine.complete?.({ model: 'm', temperature: 0, ...request }, call)
  assert.ok(chunks)
  const iterator = chunks[Symbol.asyncIterator]()
  await iterator.next()
  return iterator
}

const isFault = (status: number, code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.equal(error.status, status)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}

engineContract('llama', async () => ({
  engine: make(),
  chat: {
    request: { model: 'scripted', messages: [{ role: 'user', content: 'Hi' }], temperature: 0 },
    reply: replyText,
    usage: { prompt_tokens: 11, completion_tokens: 14 },
    stop: { sequence: '🙂 How are', before: 'Hello, world! 你' },
    endless: { model: 'scripted', messages: [{ role: 'user', content: 'on and on' }], temperature: 0 },
    refused: {
      request: { model: 'scripted', messages: [{ role: 'user', content: 'x'.repeat(3000) }] },
      status: 400,
      code: 'context_length_exceeded',
    },
  },
  complete: {
    request: { model: 'scripted', prompt: '<|im_start|>assistant\n', temperature: 0 },
    reply: replyText,
    usage: { prompt_tokens: 1, completion_tokens: 14 },
    stop: { sequence: 'wor' + 'ld! 你', before: 'Hello, ' },
    endless: { model: 'scripted', prompt: 'on and on', temperature: 0, max_tokens: 2000 },
    refused: {
      request: { model: 'scripted', prompt: 'x', max_tokens: 2048 },
      status: 400,
      code: 'context_length_exceeded',
    },
  },
}))

describe('llama engine: requests', () => {
  it('takes a text, texts, tokens and lists of tokens, and numbers the choices by prompt', async () => {
    await using(make(), async engine => {
      const start = '<|im_start|>assistant\n'
      const tokens = [260]
      const both = await complete(engine, { prompt: ['x', start], n: 2, max_tokens: 20, temperature: 0 })
      assert.deepEqual(
        both.texts.map(text => text === replyText),
        [false, false, true, true],
      )
      assert.deepEqual((await complete(engine, { prompt: tokens, temperature: 0 })).texts, [replyText])
      assert.deepEqual((await complete(engine, { prompt: [tokens, [65, 260]], temperature: 0 })).texts, [
        replyText,
        replyText,
      ])
      assert.equal(both.usage?.prompt_tokens, 2)
    })
  })

  it('refuses token ids that the vocabulary lacks, naming the prompt', async () => {
    await using(make(), async engine => {
      await assert.rejects(complete(engine, { prompt: [1, 99_999] }), (error: unknown) => {
        assert.ok(error instanceof Fault)
        assert.deepEqual([error.status, error.param], [400, 'prompt'])
        return true
      })
      assert.deepEqual((await complete(engine, { prompt: [260], temperature: 0 })).texts, [replyText])
    })
  })

  it('keeps control tokens that a user spells as text, and knows them in a raw prompt', async () => {
    await using(make(), async engine => {
      const plain = await chat(engine, 'ab')
      const spelt = await chat(engine, 'a<|im_end|>b')
      assert.equal(spelt.input - plain.input, '<|im_end|>'.length)
      assert.equal(spelt.text, replyText)
      assert.equal((await complete(engine, { prompt: 'a<|im_end|>b', max_tokens: 1 })).input, 3)
    })
  })

  it('reports the tokens of the prompt that were still there', async () => {
    await using(make(), async engine => {
      const first = await chat(engine, 'The same question again')
      const second = await chat(engine, 'The same question again')
      assert.equal(first.cached, 0)
      assert.equal(second.cached, second.input - 1)
      assert.equal(second.text, replyText)
    })
  })

  it('gives 64-bit seeds modulo 2^32, seed + i to choice i, and one fingerprint for one configuration', async () => {
    await using(make({ file: tiny }), async engine => {
      const request = { prompt: 'Shall I compare', max_tokens: 24 }
      const [low] = (await complete(engine, { ...request, seed: 5 })).texts
      const [high] = (await complete(engine, { ...request, seed: 5 + 2 ** 32 * 3 })).texts
      const [next] = (await complete(engine, { ...request, seed: 6 })).texts
      assert.equal(low, high)
      assert.notEqual(low, next)
      assert.deepEqual((await complete(engine, { ...request, seed: 5, n: 2 })).texts, [low, next])
      const { fingerprint } = await chat(engine, 'Hi', makeCall(), { max_tokens: 1 })
      assert.match(fingerprint ?? '', /^fp_[0-9a-f]{10}$/)
    })
  })

  it('goes on with other replies while it takes a long list of prompts, and forgets it when it is cancelled', async () => {
    await using(make(), async engine => {
      const abort = new AbortController()
      const prompt = Array.from({ length: 400 }, () => 'word '.repeat(300))
      const long = complete(engine, { prompt, max_tokens: 1 }, makeCall(abort.signal))
      assert.equal((await chat(engine, 'Hi')).text, replyText)
      abort.abort()
      await long
      assert.equal((await chat(engine, 'Hi')).text, replyText)
      assert.equal(
        (await complete(engine, { prompt: prompt.slice(0, 40), max_tokens: 1 })).usage?.completion_tokens,
        40,
      )
    })
  })

  it('generates nothing for max_tokens 0, but counts the prompt', async () => {
    await using(make(), async engine => {
      const { texts, usage } = await complete(engine, { prompt: 'abc', max_tokens: 0 })
      assert.deepEqual([texts, usage?.prompt_tokens, usage?.completion_tokens], [[''], 3, 0])
    })
  })

  it('offers chat only for a file with a chat template', async () => {
    const file = await stored(bytesOf(tinyModel({ template: null })))
    await using(make({ file }), async engine => {
      await assert.rejects(chat(engine, 'Hi'), isFault(400, 'model_not_supported', /does not offer 'chat'/))
      assert.deepEqual([...engine.abilities], ['complete'])
      assert.equal((await complete(engine, { prompt: 'Hi', max_tokens: 3 })).output <= 3, true)
    })
  })

  it('answers 503 when the queue is full, and serves again when it is not', async () => {
    await using(make({ slots: 1, queue: 1 }), async engine => {
      const abort = new AbortController()
      const running = await begin(engine, { prompt: 'on and on', max_tokens: 2000 }, makeCall(abort.signal))
      const waiting = complete(engine, { prompt: 'x', max_tokens: 1 })
      await assert.rejects(complete(engine, { prompt: 'y' }), isFault(503, 'engine_overloaded', /queue is full/))
      abort.abort()
      await running.return?.()
      assert.equal((await waiting).usage?.completion_tokens, 1)
    })
  })

  it('does not let a reader that stands still hold up others, nor lose a token for it', async () => {
    await using(make({ slots: 2 }), async engine => {
      const still = await begin(engine, { prompt: 'on and on', max_tokens: 1500 })
      for (let i = 0; i < 20; i++) assert.equal((await chat(engine, 'Hi')).text, replyText)
      let usage: CompletionChunk['usage']
      for (let step = await still.next(); !step.done; step = await still.next()) usage = step.value.usage
      assert.equal(usage?.completion_tokens, 1500)
    })
  })
})

describe('llama engine: its process', () => {
  it('fails what is in flight when the process is killed, and starts it again for the next request', async () => {
    await using(make(), async engine => {
      const running = await begin(engine, { prompt: 'on and on', max_tokens: 2000 })
      process.kill(engine.pid ?? 0, 'SIGKILL')
      const drain = async () => {
        for (let step = await running.next(); !step.done; step = await running.next());
      }
      await assert.rejects(drain(), isFault(500, 'engine_crashed', /ended unexpectedly/))
      assert.equal((await chat(engine, 'Hi')).text, replyText)
    })
  })

  it('leaves a file alone for a while when its process died while loading', async () => {
    const clock = manualClock()
    await using(make({ clock }), async engine => {
      const loading = engine.load()
      process.kill(engine.pid ?? 0, 'SIGKILL')
      await assert.rejects(loading, isFault(500, 'model_load_failed', /could not be loaded: its process died/))
      clock.advance(retryAfterMs - 1)
      await assert.rejects(chat(engine, 'Hi'), isFault(500, 'model_load_failed', /its process died/))
      assert.equal(engine.pid, undefined)
      assert.equal(engine.status().state, 'failed')
      clock.advance(1)
      assert.equal((await chat(engine, 'Hi')).text, replyText)
    })
  })

  it('gives up loading after its time, and ends the process', async () => {
    await using(make({ loadTimeoutMs: 1 }), async engine => {
      const loading = engine.load()
      const { pid } = engine
      await assert.rejects(loading, isFault(500, 'model_load_failed', /longer than 0.001 s/))
      assert.throws(() => process.kill(pid ?? 0, 0))
    })
  })

  it('ends quietly for a request that is aborted while the model loads', async () => {
    await using(make(), async engine => {
      const abort = new AbortController()
      const asked = complete(engine, { prompt: 'x' }, makeCall(abort.signal))
      abort.abort()
      assert.deepEqual((await asked).texts, [])
      assert.equal((await chat(engine, 'Hi')).text, replyText)
    })
  })

  it('outlives a signal to the whole group', async () => {
    await using(make(), async engine => {
      await engine.load()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(engine.pid ?? 0, signal)
      assert.equal((await chat(engine, 'Hi')).text, replyText)
    })
  })

  it('ends with the channel, also in the middle of its work', async () => {
    const child = fork(sibling(import.meta.url, './child'), [], { env: {}, execArgv: [] })
    const settings = { context: 2048, slots: 1, threads: 1, batch: 512, gpu: false, template: null, tokenBytesMax: 0 }
    child.send({ type: 'load', file: scripted, vocabularySize: 270, ...settings })
    await once(child, 'message')
    const generation = { n: 1, maxTokens: 2000, temperature: 0, topP: 1, seed: 1, stop: [] }
    child.send({ type: 'complete', id: 1, prompts: ['on and on'], ...generation })
    await once(child, 'message')
    const gone = once(child, 'exit')
    child.disconnect()
    await gone
  })

  it('sees nothing of the environment', { skip: process.platform !== 'linux' }, async () => {
    await using(make({ environment: { LD_LIBRARY_PATH: '/opt/driver' } }), async engine => {
      await engine.load()
      const variables = (await readFile(`/proc/${engine.pid}/environ`, 'utf8'))
        .split('\0')
        .map(line => line.split('=')[0])
      assert.ok(variables.includes('LD_LIBRARY_PATH'))
      assert.deepEqual(
        variables.filter(name => name === 'PATH' || name === 'HOME'),
        [],
      )
    })
  })

  it('gives its memory back when it is told to, and loads again', async () => {
    await using(make(), async engine => {
      const { resident } = engine
      const estimate = await resident.estimateBytes()
      assert.equal(resident.bytes(), 0)
      assert.equal((await chat(engine, 'Hi')).text, replyText)
      const { pid } = engine
      const taken = resident.bytes()
      // The program is most of it: what it takes differs from machine to machine.
      assert.ok(estimate !== undefined && taken > estimate / 2 && taken < estimate * 2, `${taken} of ${estimate}`)
      await resident.unload()
      assert.throws(() => process.kill(pid ?? 0, 0))
      assert.deepEqual([engine.status().state, resident.bytes()], ['idle', 0])
      assert.equal((await chat(engine, 'Hi')).text, replyText)
    })
  })

  it('estimates a file anew when it has changed, and says nothing of one that it cannot use', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parlance-llama-'))
    const file = join(folder, 'changing.gguf')
    try {
      await copyFile(tiny, file)
      await using(make({ file }), async ({ resident }) => {
        const small = await resident.estimateBytes()
        assert.equal(await resident.estimateBytes(), small)
        await writeFile(file, bytesOf(tinyModel({ blocks: 4 })))
        const large = await resident.estimateBytes()
        assert.ok(small !== undefined && large !== undefined && large > small)
        await writeFile(file, 'no model')
        assert.equal(await resident.estimateBytes(), undefined)
        await rm(file)
        assert.equal(await resident.estimateBytes(), undefined)
        await assert.rejects(resident.load(), isFault(500, 'model_load_failed', /The file does not exist/))
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('llama engine: broken files', async () => {
  for (const [name, bytes] of Object.entries(brokenFiles()))
    it(`${name}: ${name === 'numbers' ? 'loads' : 'a clear error'}, and the server lives`, async () => {
      const lines: string[] = []
      const log: Log = { ...silentLog, error: (event, fields) => lines.push(`${event} ${JSON.stringify(fields)}`) }
      await using(make({ file: await stored(bytes), log }), async engine => {
        if (name === 'numbers') {
          assert.equal((await complete(engine, { prompt: 'Hi', max_tokens: 2, temperature: 0 })).output, 2)
          return
        }
        await assert.rejects(engine.load(), isFault(500, 'model_load_failed', /could not be loaded: .{10}/))
        await assert.rejects(chat(engine, 'Hi'), (error: unknown) => {
          assert.ok(error instanceof Fault && !error.message.includes('/'), String(error))
          return true
        })
        assert.equal(lines.length, 1)
      })
      await using(make(), async engine => assert.equal((await chat(engine, 'Hi')).text, replyText))
    })

  it('a file that is missing or of a kind that nothing is made for: a clear error', async () => {
    const t5 = { ...tinyModel().metadata, 'general.architecture': text('t5') }
    await using(make({ file: await stored(bytesOf({ metadata: t5, tensors: [] })) }), engine =>
      assert.rejects(engine.load(), isFault(500, 'model_load_failed', /'t5' are not supported/)),
    )
    const long = { ...tinyModel().metadata, 'general.architecture': text(`bert${'t'.repeat(200)}`) }
    await using(make({ file: await stored(bytesOf({ metadata: long, tensors: [] })) }), engine =>
      assert.rejects(engine.load(), isFault(500, 'model_load_failed', /architecture 'bertt+…' is not known/)),
    )
    await using(make({ file: '/nowhere/model.gguf' }), engine =>
      assert.rejects(engine.load(), isFault(500, 'model_load_failed', /The file does not exist/)),
    )
    await using(make({ context: 1_000_000 }), engine =>
      assert.rejects(
        engine.load(),
        isFault(500, 'model_load_failed', /'context' is 1000000, but the model was made for 4096/),
      ),
    )
  })
})
