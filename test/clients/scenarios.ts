import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ChatBody, Client } from './client.ts'
import {
  all,
  checkEnvelope,
  checkUsage,
  closeTo,
  contentOf,
  counts,
  expectError,
  failure,
  numbers,
  pick,
  textOf,
  unmarked,
} from './expect.ts'

/** Where the requests of a scenario go. */
export interface Place {
  /** In test names. */
  readonly name: string
  /** The name a program asks for, and the one that must stand in the reply. */
  readonly chat: { asked: string; answers: string }
  readonly completion: { asked: string; answers: string }
  readonly embed: { asked: string; answers: string; length: number }
  readonly idPrefixes: { chat: string; completion: string }
  /** Errors come in Azure's form. */
  readonly azure?: true
}

export interface Scenario {
  /** The promise. */
  readonly name: string
  /** Left out for clients that have no helper for chunks. */
  readonly accumulates?: true
  /** Left out for clients from before completions could be stored. */
  readonly stores?: true
  /** About errors that have another form on Azure's paths. */
  readonly openai?: true
  run(client: Client, place: Place): Promise<void>
}

const question: ChatBody['messages'] = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Tell me about the history of bread, please.' },
]
const chatBody = ({ chat }: Place, more: Partial<ChatBody> = {}): ChatBody => ({
  model: chat.asked,
  messages: question,
  max_tokens: 12,
  temperature: 0,
  ...more,
})

export const scenarios: readonly Scenario[] = [
  {
    name: 'models are listed by the names that programs use, and each can be retrieved',
    async run(client, { chat, embed }) {
      const names = await client.listModels()
      assert.equal(new Set(names).size, names.length, 'no name stands twice')
      for (const name of [chat.asked, embed.asked]) {
        assert.ok(names.includes(name), `${name} is in the list`)
        const model = await client.retrieveModel(name)
        assert.equal(model.id, name)
        assert.equal(model.object, 'model')
        assert.ok(Number.isInteger(model.created) && model.created > 1_600_000_000, 'created is in unix seconds')
        assert.ok(model.owned_by.length > 0)
      }
    },
  },
  {
    name: 'a chat is answered, and the reply says which model really did',
    async run(client, place) {
      const reply = await client.chat(chatBody(place))
      assert.equal(reply.object, 'chat.completion')
      assert.equal(reply.model, place.chat.answers)
      assert.ok(reply.id.startsWith(place.idPrefixes.chat))
      assert.equal(reply.choices.length, 1)
      const [choice] = reply.choices
      assert.equal(choice!.index, 0)
      assert.equal(choice!.message.role, 'assistant')
      assert.ok(choice!.message.content!.length > 0)
      assert.ok(['stop', 'length'].includes(choice!.finish_reason!))
      checkUsage(reply.usage)
    },
  },
  {
    name: 'a streamed chat opens with the role, carries one id, ends with a reason, and says what the whole reply says',
    async run(client, place) {
      const chunks = await all(client.chatStream(chatBody(place)))
      checkEnvelope(chunks, 'chat.completion.chunk', place.chat.answers)
      assert.deepEqual(pick(chunks[0]!.choices[0]!.delta), { role: 'assistant', content: '' })
      assert.ok(
        chunks.slice(1).every(chunk => chunk.choices[0]!.delta.role === undefined),
        'the role comes once',
      )
      assert.ok(chunks.slice(0, -1).every(chunk => chunk.choices[0]!.finish_reason === null))
      assert.deepEqual(pick(chunks.at(-1)!.choices[0]!.delta), {})
      const whole = await client.chat(chatBody(place))
      assert.equal(contentOf(chunks, 0), whole.choices[0]!.message.content)
      assert.equal(chunks.at(-1)!.choices[0]!.finish_reason, whole.choices[0]!.finish_reason)
    },
  },
  {
    name: 'the usage chunk comes last, and only when it is asked for',
    async run(client, place) {
      const chunks = await all(client.chatStream(chatBody(place, { stream_options: { include_usage: true } })))
      const last = chunks.pop()!
      assert.deepEqual(last.choices, [])
      checkUsage(last.usage)
      assert.ok(
        chunks.every(chunk => chunk.usage === null),
        'all others carry usage: null',
      )
      const whole = await client.chat(chatBody(place))
      assert.deepEqual(counts(last.usage), counts(whole.usage))
      const silent = await all(client.chatStream(chatBody(place)))
      assert.ok(silent.every(chunk => chunk.choices.length > 0 && (chunk.usage ?? null) === null))
    },
  },
  {
    name: 'the client’s own accumulator makes the whole reply of the chunks',
    accumulates: true,
    async run(client, place) {
      const { chat, deltas } = await client.accumulate(chatBody(place))
      const whole = await client.chat(chatBody(place))
      assert.equal(chat.choices[0]!.message.content, whole.choices[0]!.message.content)
      assert.equal(chat.choices[0]!.message.role, 'assistant')
      assert.equal(chat.choices[0]!.finish_reason, whole.choices[0]!.finish_reason)
      assert.equal(deltas.join(''), whole.choices[0]!.message.content)
    },
  },
  {
    name: 'n gives that many choices, whole and streamed',
    async run(client, place) {
      const body = chatBody(place, { n: 3, seed: 11, temperature: 1, max_tokens: 8 })
      const whole = await client.chat(body)
      assert.deepEqual(
        whole.choices.map(choice => choice.index),
        [0, 1, 2],
      )
      const chunks = await all(client.chatStream(body))
      for (const index of [0, 1, 2]) {
        assert.equal(contentOf(chunks, index), whole.choices[index]!.message.content)
        const own = chunks.flatMap(chunk => chunk.choices.filter(choice => choice.index === index))
        assert.equal(own.filter(choice => choice.finish_reason !== null).length, 1)
        assert.equal(own[0]!.delta.role, 'assistant')
      }
    },
  },
  {
    name: 'stop ends the reply before the sequence, which the client never sees',
    async run(client, place) {
      const full = (await client.chat(chatBody(place, { max_tokens: 16 }))).choices[0]!.message.content!
      const stop = full.slice(6, 9)
      assert.equal(stop.length, 3, 'the reply is long enough to be cut')
      const expected = full.slice(0, full.indexOf(stop))
      for (const given of [stop, ['\u0000 never \u0000', stop]]) {
        const cut = (await client.chat(chatBody(place, { max_tokens: 16, stop: given }))).choices[0]!
        assert.equal(cut.message.content, expected)
        assert.equal(cut.finish_reason, 'stop')
      }
      const chunks = await all(client.chatStream(chatBody(place, { max_tokens: 16, stop })))
      assert.equal(contentOf(chunks, 0), expected)
    },
  },
  {
    name: 'max_tokens is an exact limit, and the reply says that it was met',
    async run(client, place) {
      const { choices, usage } = await client.chat(chatBody(place, { max_tokens: 2 }))
      assert.equal(choices[0]!.finish_reason, 'length')
      assert.equal(usage!.completion_tokens, 2)
    },
  },
  {
    name: 'the same seed gives the same reply',
    async run(client, place) {
      const body = chatBody(place, { seed: 4711, temperature: 1.2, max_tokens: 12 })
      const [first, second] = [await client.chat(body), await client.chat(body)]
      assert.equal(first.choices[0]!.message.content, second.choices[0]!.message.content)
      const others = await Promise.all([1, 2, 3, 4].map(seed => client.chat({ ...body, seed })))
      assert.ok(
        others.some(other => other.choices[0]!.message.content !== first.choices[0]!.message.content),
        'and another seed may give another one',
      )
    },
  },
  {
    name: 'completions are stored, found by their metadata page by page, changed and deleted',
    stores: true,
    async run(client, place) {
      const { stored } = client
      assert.ok(stored)
      const metadata = { run: randomUUID() }
      const found = async (tags: Record<string, string>, order: 'asc' | 'desc' = 'asc') =>
        (await all(stored.list({ metadata: tags, model: place.chat.asked, limit: 2, order }))).map(({ id }) => id)
      const body = chatBody(place, { store: true, metadata, max_tokens: 4 })
      const first = await client.chat(body)
      const chunks = await all(client.chatStream(body))
      const last = await client.chat({ ...body, n: 2 })
      const ids = [first.id, chunks[0]!.id, last.id]
      assert.deepEqual(await found(metadata), ids)
      assert.deepEqual(await found(metadata, 'desc'), ids.toReversed())
      const again = await stored.retrieve(first.id)
      assert.deepEqual(again.metadata, metadata)
      assert.deepEqual(again.choices, unmarked(first.choices))
      const streamed = await stored.retrieve(chunks[0]!.id)
      assert.equal(streamed.choices[0]!.message.content, contentOf(chunks, 0))
      checkUsage(streamed.usage)
      assert.equal((await stored.retrieve(last.id)).choices.length, 2)
      const changed = { ...metadata, seen: 'yes' }
      assert.deepEqual((await stored.update(first.id, changed)).metadata, changed)
      assert.deepEqual(await found(changed), [first.id])
      const messages = await all(stored.messages(first.id, { limit: 1 }))
      assert.deepEqual(
        messages.map(({ role, content }) => ({ role, content })),
        question,
      )
      for (const id of ids)
        assert.deepEqual(await stored.delete(id), { id, object: 'chat.completion.deleted', deleted: true })
      assert.deepEqual(await found(metadata), [])
      for (const call of [() => stored.retrieve(first.id), () => stored.update(first.id, {})]) {
        const error = await failure(client, call)
        if (place.azure === true) assert.deepEqual([error.status, error.code], [404, '404'])
        else expectError(error, { status: 404, code: null, type: 'invalid_request_error', className: 'NotFoundError' })
      }
    },
  },
  {
    name: 'a completion continues a text, whole and streamed alike',
    async run(client, place) {
      const body = { model: place.completion.asked, prompt: 'Once upon a time', max_tokens: 10, temperature: 0 }
      const whole = await client.completion(body)
      assert.equal(whole.object, 'text_completion')
      assert.equal(whole.model, place.completion.answers)
      assert.ok(whole.id.startsWith(place.idPrefixes.completion))
      assert.ok(whole.choices[0]!.text.length > 0)
      checkUsage(whole.usage)
      const chunks = await all(client.completionStream(body))
      checkEnvelope(chunks, 'text_completion', place.completion.answers)
      assert.equal(textOf(chunks, 0), whole.choices[0]!.text)
      assert.equal(chunks.at(-1)!.choices[0]!.finish_reason, whole.choices[0]!.finish_reason)
    },
  },
  {
    name: 'a completion of several prompts gives their choices in order',
    async run(client, place) {
      const prompts = ['One day', 'My favourite food is', 'The answer:']
      const body = { model: place.completion.asked, max_tokens: 6, temperature: 0 }
      const together = await client.completion({ ...body, prompt: prompts })
      assert.deepEqual(
        together.choices.map(choice => choice.index),
        [0, 1, 2],
      )
      for (const [index, prompt] of prompts.entries()) {
        const alone = await client.completion({ ...body, prompt })
        assert.equal(together.choices[index]!.text, alone.choices[0]!.text)
      }
    },
  },
  {
    name: 'an embedding is a vector of length one, the same in every form of asking',
    async run(client, { embed }) {
      const text = 'The food was delicious and the waiter was very friendly.'
      const usual = await client.embed({ model: embed.asked, input: text })
      assert.equal(usual.model, embed.answers)
      assert.ok(usual.usage.prompt_tokens > 0 && usual.usage.total_tokens === usual.usage.prompt_tokens)
      const vector = numbers(usual.data[0]!.embedding)
      assert.equal(vector.length, embed.length)
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3, `its length is ${Math.hypot(...vector)}`)
      const asFloats = await client.embed({ model: embed.asked, input: [text], encoding_format: 'float' })
      closeTo(asFloats.data[0]!.embedding as number[], vector)
    },
  },
  {
    name: 'several inputs give their embeddings in order',
    async run(client, { embed }) {
      const input = ['bread and butter', '你好，世界', 'async function main() {}']
      const together = await client.embed({ model: embed.asked, input })
      assert.deepEqual(
        together.data.map(row => row.index),
        [0, 1, 2],
      )
      for (const [index, text] of input.entries()) {
        const alone = await client.embed({ model: embed.asked, input: text })
        closeTo(numbers(together.data[index]!.embedding), numbers(alone.data[0]!.embedding))
      }
    },
  },
  {
    name: 'token arrays are accepted as embedding input',
    async run(client, { embed }) {
      // "tiktoken is great!" in cl100k_base, as OpenAI's cookbook prints it
      const tokens = [83, 1609, 5963, 374, 2294, 0]
      const one = await client.embed({ model: embed.asked, input: tokens })
      assert.equal(one.data.length, 1)
      const two = await client.embed({ model: embed.asked, input: [tokens, tokens] })
      assert.equal(two.data.length, 2)
      closeTo(numbers(two.data[1]!.embedding), numbers(one.data[0]!.embedding))
    },
  },
  {
    name: 'dimensions shortens the vectors and keeps their length of one',
    async run(client, { embed }) {
      const { data } = await client.embed({
        model: embed.asked,
        input: 'short',
        dimensions: 16,
        encoding_format: 'float',
      })
      const vector = numbers(data[0]!.embedding)
      assert.equal(vector.length, 16)
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3)
    },
  },
  {
    name: 'a wrong key is a 401 that names no key',
    openai: true,
    async run(client, place) {
      const key = 'sk-wrong-4f2b8d6a9c1e7f3b5d0a'
      const stranger = client.withKey(key)
      const error = await failure(stranger, () => stranger.chat(chatBody(place)))
      expectError(error, {
        status: 401,
        code: 'invalid_api_key',
        type: 'invalid_request_error',
        className: 'AuthenticationError',
      })
      assert.ok(!error.message.includes(key), 'the key is masked')
      const streamed = await failure(stranger, () => all(stranger.chatStream(chatBody(place))))
      assert.equal(streamed.status, 401)
    },
  },
  {
    name: 'an unknown model is a 404 that names it',
    openai: true,
    async run(client, place) {
      const model = 'gpt-unheard-of'
      for (const call of [
        () => client.chat(chatBody(place, { model })),
        () => all(client.chatStream(chatBody(place, { model }))),
        () => client.completion({ model, prompt: 'Hello' }),
        () => client.embed({ model, input: 'Hello' }),
        () => client.retrieveModel(model),
      ]) {
        const error = await failure(client, call)
        expectError(error, {
          status: 404,
          code: 'model_not_found',
          type: 'invalid_request_error',
          className: 'NotFoundError',
        })
        assert.ok(error.message.includes(model))
      }
    },
  },
  {
    name: 'a bad parameter is a 400 that names it',
    async run(client, place) {
      const tooWarm = await failure(client, () => client.chat(chatBody(place, { temperature: 3 })))
      expectError(tooWarm, {
        status: 400,
        code: 'decimal_above_max_value',
        param: 'temperature',
        type: 'invalid_request_error',
        className: 'BadRequestError',
      })
      const empty = await failure(client, () => client.chat(chatBody(place, { messages: [] })))
      expectError(empty, {
        status: 400,
        code: 'empty_array',
        param: 'messages',
        type: 'invalid_request_error',
        className: 'BadRequestError',
      })
      const many = await failure(client, () => all(client.chatStream(chatBody(place, { n: 1000 }))))
      expectError(many, {
        status: 400,
        code: 'integer_above_max_value',
        param: 'n',
        type: 'invalid_request_error',
        className: 'BadRequestError',
      })
      const none = await failure(client, () => client.embed({ model: place.embed.asked, input: '' }))
      expectError(none, {
        status: 400,
        code: 'empty_string',
        param: 'input',
        type: 'invalid_request_error',
        className: 'BadRequestError',
      })
    },
  },
  {
    name: 'a stream that the client leaves ends, and the next request is answered',
    async run(client, place) {
      const leaving = new AbortController()
      let seen = 0
      const read = async () => {
        for await (const chunk of client.chatStream(chatBody(place, { max_tokens: 400 }), leaving.signal))
          if (chunk.choices.length > 0 && ++seen === 2) leaving.abort()
      }
      await read().catch((error: unknown) => assert.match(String(error), /abort|cancel|premature close/i))
      assert.ok(seen >= 2)
      const reply = await client.chat(chatBody(place, { max_tokens: 2 }))
      assert.ok(reply.choices[0]!.message.content!.length > 0)
    },
  },
]
