import assert from 'node:assert/strict'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { APICallError, embedMany, generateText, streamText } from 'ai'
import type { Connection } from './client.ts'
import type { Place } from './scenarios.ts'

export interface FrameworkScenario {
  readonly name: string
  run(at: Connection, place: Place): Promise<void>
}

const prompt = 'Tell me about the history of bread, please.'

/** Frameworks that wrap the API in one of their own: what a program of theirs does, and what must come out. */
export const frameworkScenarios: readonly FrameworkScenario[] = [
  {
    name: '@langchain/openai: a chat is answered and streamed, with usage and the model that answered',
    async run(at, { chat }) {
      const model = new ChatOpenAI({ ...langchain(at), model: chat.asked, temperature: 0, maxTokens: 10 })
      const reply = await model.invoke(prompt)
      assert.ok(reply.text.length > 0)
      assert.equal(reply.response_metadata.model_name, chat.answers)
      assert.ok(totalTokens(reply) > 0)
      let streamed = ''
      let total = 0
      for await (const chunk of await model.stream(prompt)) {
        streamed += chunk.text
        total += totalTokens(chunk)
      }
      assert.equal(streamed, reply.text)
      assert.equal(total, totalTokens(reply))
    },
  },
  {
    name: '@langchain/openai: a completion is answered and streamed',
    async run(at, { completion }) {
      const model = new OpenAI({ ...langchain(at), model: completion.asked, temperature: 0, maxTokens: 8 })
      const text = await model.invoke('Once upon a time')
      assert.ok(text.length > 0)
      let streamed = ''
      for await (const piece of await model.stream('Once upon a time')) streamed += piece
      assert.equal(streamed, text)
    },
  },
  {
    name: '@langchain/openai: documents and queries are embedded alike',
    async run(at, { embed }) {
      const model = new OpenAIEmbeddings({ ...langchain(at), model: embed.asked })
      const query = await model.embedQuery('bread and butter')
      assert.equal(query.length, embed.length)
      const [first, second] = await model.embedDocuments(['bread and butter', 'a theorem'])
      assert.ok(first!.every((value, place) => Math.abs(value - query[place]!) < 1e-5))
      assert.notDeepEqual(second, first)
    },
  },
  {
    name: '@langchain/openai: a wrong key is an error with its status and code',
    async run(at, { chat }) {
      const model = new ChatOpenAI({ ...langchain({ ...at, apiKey: 'sk-wrong-4f2b8d6a9c1e7f3b' }), model: chat.asked })
      await assert.rejects(model.invoke(prompt), { status: 401, code: 'invalid_api_key' })
    },
  },
  {
    name: 'ai: a chat is answered and streamed, with usage and the model that answered',
    async run(at, { chat }) {
      const asked = {
        model: createOpenAI(at).chat(chat.asked),
        prompt,
        temperature: 0,
        maxOutputTokens: 10,
        maxRetries: 0,
      }
      const reply = await generateText(asked)
      assert.ok(reply.text.length > 0)
      assert.equal(reply.response.modelId, chat.answers)
      assert.ok(reply.usage.outputTokens! > 0)
      const streamed = streamText(asked)
      let text = ''
      for await (const piece of streamed.textStream) text += piece
      assert.equal(text, reply.text)
      assert.equal((await streamed.usage).totalTokens, reply.usage.totalTokens)
      assert.equal((await streamed.response).modelId, chat.answers)
    },
  },
  {
    name: 'ai: a completion is answered and streamed',
    async run(at, { completion }) {
      const asked = {
        model: createOpenAI(at).completion(completion.asked),
        prompt: 'Once upon a time',
        temperature: 0,
        maxOutputTokens: 8,
        maxRetries: 0,
      }
      const { text } = await generateText(asked)
      assert.ok(text.length > 0)
      let streamed = ''
      for await (const piece of streamText(asked).textStream) streamed += piece
      assert.equal(streamed, text)
    },
  },
  {
    name: 'ai: several values are embedded in order',
    async run(at, { embed }) {
      const model = createOpenAI(at).embedding(embed.asked)
      const values = ['bread and butter', 'a theorem', 'bread and butter']
      const { embeddings, usage } = await embedMany({ model, values, maxRetries: 0 })
      assert.deepEqual(
        embeddings.map(vector => vector.length),
        values.map(() => embed.length),
      )
      assert.deepEqual(embeddings[2], embeddings[0])
      assert.notDeepEqual(embeddings[1], embeddings[0])
      assert.ok(usage.tokens > 0)
    },
  },
  {
    name: 'ai: an unknown model is an error with the server’s words, and no retry',
    async run(at) {
      const model = createOpenAI(at).chat('gpt-unheard-of')
      await assert.rejects(generateText({ model, prompt }), (error: unknown) => {
        assert.ok(APICallError.isInstance(error))
        assert.equal(error.statusCode, 404)
        assert.match(error.message, /gpt-unheard-of/)
        assert.equal(error.isRetryable, false)
        return true
      })
    },
  },
]

const langchain = ({ baseURL, apiKey }: Connection) => ({ apiKey, configuration: { baseURL }, maxRetries: 0 })

/** The types of LangChain's messages hide their usage; 0 for a chunk without. */
function totalTokens({ usage_metadata }: { usage_metadata?: unknown }): number {
  if (typeof usage_metadata !== 'object' || usage_metadata === null) return 0
  return 'total_tokens' in usage_metadata ? Number(usage_metadata.total_tokens) : 0
}
