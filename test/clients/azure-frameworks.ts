import assert from 'node:assert/strict'
import { createAzure } from '@ai-sdk/azure'
import { AzureChatOpenAI, AzureOpenAI, AzureOpenAIEmbeddings } from '@langchain/openai'
import { APICallError, embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import {
  AzureKeyCredential,
  type ChatCompletions,
  type Completions,
  OpenAIClient,
  OpenAIKeyCredential,
} from 'azure-openai-beta'
import * as OpenAI4 from 'openai-v4'
import { apiVersion, unfiltered } from './azure.ts'
import { parameters } from './caller.ts'
import type { Connection } from './client.ts'
import { all, numbers } from './expect.ts'
import type { FrameworkScenario } from './frameworks.ts'

const prompt = 'Tell me about the history of bread, please.'
const weather = 'What is the weather in Oslo?'
const wrongKey = 'sk-wrong-4f2b8d6a9c1e7f3b'
/** The model that calls the tool. */
const calling = 'caller'

/** Azure's own client and the Azure classes of frameworks. `baseURL` is the address of the server without a path. */
export const azureFrameworkScenarios: readonly FrameworkScenario[] = [
  {
    name: '@langchain/openai: AzureChatOpenAI is answered, streamed and calls tools',
    async run(at, { chat }) {
      const open = (name: string) => new AzureChatOpenAI({ ...langchain(at, name), temperature: 0, maxTokens: 60 })
      const reply = await open(chat.asked).invoke(prompt)
      assert.ok(reply.text.length > 0)
      assert.equal(reply.response_metadata.model_name, chat.answers)
      let streamed = ''
      for await (const chunk of await open(chat.asked).stream(prompt)) streamed += chunk.text
      assert.equal(streamed, reply.text)
      const bound = open(calling).bindTools([{ type: 'function', function: { name: 'get_weather', parameters } }], {
        parallel_tool_calls: false,
      })
      const { tool_calls = [] } = await bound.invoke(weather)
      assert.deepEqual(
        tool_calls.map(({ name, args }) => [name, args]),
        [['get_weather', { city: 'Oslo' }]],
      )
    },
  },
  {
    name: '@langchain/openai: AzureOpenAI completes, AzureOpenAIEmbeddings embeds',
    async run(at, { completion, embed }) {
      const basePath = `${at.baseURL}/openai/deployments`
      const model = new AzureOpenAI({
        ...langchain(at, completion.asked),
        azureOpenAIBasePath: basePath, // these two classes look at no endpoint
        temperature: 0,
        maxTokens: 8,
      })
      const text = await model.invoke('Once upon a time')
      let streamed = ''
      for await (const piece of await model.stream('Once upon a time')) streamed += piece
      assert.ok(text.length > 0)
      assert.equal(streamed, text)
      const vectors = new AzureOpenAIEmbeddings({
        ...langchain(at, embed.asked),
        azureOpenAIBasePath: basePath,
        azureOpenAIApiEmbeddingsDeploymentName: embed.asked,
      })
      assert.equal((await vectors.embedQuery('bread and butter')).length, embed.length)
      assert.equal((await vectors.embedDocuments(['bread', 'a theorem'])).length, 2)
    },
  },
  {
    name: '@langchain/openai: a wrong key and an unknown deployment are errors with Azure’s codes',
    async run(at, { chat }) {
      const stranger = new AzureChatOpenAI(langchain({ ...at, apiKey: wrongKey }, chat.asked))
      await assert.rejects(stranger.invoke(prompt), { status: 401, code: '401' })
      const lost = new AzureChatOpenAI(langchain(at, 'unheard-of'))
      await assert.rejects(lost.invoke(prompt), { status: 404, code: 'DeploymentNotFound' })
    },
  },
  ...(
    [
      ['with deployments in its URLs', { path: '/openai', useDeploymentBasedUrls: true, apiVersion }],
      ['of version 1', { path: '/openai/v1' }],
      ['without a version', { path: '/openai' }],
    ] as const
  ).map(
    ([name, { path, ...more }]): FrameworkScenario => ({
      name: `@ai-sdk/azure ${name}: chat, stream, tools, completion, embeddings and errors`,
      async run(at, { chat, completion, embed }) {
        const azure = createAzure({ baseURL: at.baseURL + path, apiKey: at.apiKey, ...more })
        const asked = { model: azure.chat(chat.asked), prompt, temperature: 0, maxOutputTokens: 10, maxRetries: 0 }
        const reply = await generateText(asked)
        assert.ok(reply.text.length > 0)
        assert.equal(reply.response.modelId, chat.answers)
        const streamed = streamText(asked)
        let text = ''
        for await (const piece of streamed.textStream) text += piece
        assert.equal(text, reply.text)
        assert.equal((await streamed.usage).totalTokens, reply.usage.totalTokens)
        assert.equal((await streamed.response).modelId, chat.answers)
        const calls: unknown[] = []
        const execute = async (given: unknown) => {
          calls.push(given)
          return 'sunny'
        }
        const run = await generateText({
          ...{ model: azure.chat(calling), prompt: weather, temperature: 0, maxRetries: 0, stopWhen: stepCountIs(2) },
          providerOptions: { azure: { parallelToolCalls: false }, openai: { parallelToolCalls: false } },
          tools: { get_weather: tool({ inputSchema: jsonSchema(parameters), execute }) },
        })
        assert.deepEqual(calls, [{ city: 'Oslo' }])
        assert.equal(run.text, 'sunny.')
        const continued = {
          model: azure.completion(completion.asked),
          prompt: 'Once',
          temperature: 0,
          maxOutputTokens: 8,
          maxRetries: 0,
        }
        assert.ok((await generateText(continued)).text.length > 0)
        const { embeddings } = await embedMany({
          ...{ model: azure.embedding(embed.asked), values: ['bread', 'a theorem'], maxRetries: 0 },
        })
        assert.deepEqual(
          embeddings.map(vector => vector.length),
          [embed.length, embed.length],
        )
        await assert.rejects(generateText({ model: azure.chat('unheard-of'), prompt }), (error: unknown) => {
          assert.ok(APICallError.isInstance(error))
          assert.deepEqual([error.statusCode, error.isRetryable], [404, false])
          assert.match(error.responseBody ?? '', /DeploymentNotFound/)
          return true
        })
      },
    }),
  ),
  ...(
    [
      ['', ({ baseURL, apiKey }: Connection) => new OpenAIClient(baseURL, new AzureKeyCredential(apiKey), plain)],
      [
        ' with OpenAI’s credential and a path of its own',
        ({ baseURL, apiKey }: Connection) => new OpenAIClient(`${baseURL}/v1`, new OpenAIKeyCredential(apiKey), plain),
      ],
    ] as const
  ).map(
    ([name, open]): FrameworkScenario => ({
      name: `@azure/openai 1${name}: chat, stream, tools, completions, embeddings and errors`,
      async run(at, { chat, completion, embed }) {
        const client = open(at)
        const messages = [{ role: 'user', content: prompt }]
        const options = { maxTokens: 10, temperature: 0 }
        const reply = await client.getChatCompletions(chat.asked, messages, options)
        const text = textOf(reply)
        assert.ok(text.length > 0)
        assert.deepEqual(told(reply.promptFilterResults?.[0]?.contentFilterResults), unfiltered.error)
        assert.deepEqual(told(reply.choices[0]?.contentFilterResults), unfiltered.error)
        const events = await all<ChatCompletions>(await client.streamChatCompletions(chat.asked, messages, options))
        assert.deepEqual(events[0]?.choices, [])
        assert.deepEqual(told(events[0]?.promptFilterResults?.[0]?.contentFilterResults), unfiltered.error)
        assert.equal(events.flatMap(event => event.choices.map(choice => choice.delta?.content ?? '')).join(''), text)
        const run = await client.getChatCompletions(calling, [{ role: 'user', content: weather }], {
          temperature: 0,
          tools: [{ type: 'function', function: { name: 'get_weather', parameters } }],
        })
        const [call] = run.choices[0]?.message?.toolCalls ?? []
        assert.ok(call !== undefined && 'function' in call)
        assert.deepEqual([call.function.name, call.function.arguments], ['get_weather', '{"city": "Oslo"}'])
        const continued = await client.getCompletions(completion.asked, ['Once', 'Twice'], {
          maxTokens: 6,
          temperature: 0,
        })
        assert.deepEqual([continued.choices.length, continued.promptFilterResults?.length], [2, 2])
        const pieces = await all<Omit<Completions, 'usage'>>(
          await client.streamCompletions(completion.asked, ['Once'], { maxTokens: 6, temperature: 0 }),
        )
        const whole = pieces.flatMap(({ choices }) => choices.map(choice => choice.text)).join('')
        assert.equal(whole, continued.choices[0]?.text)
        const { data } = await client.getEmbeddings(embed.asked, ['bread', 'a theorem'])
        assert.deepEqual(
          data.map(({ embedding }) => numbers(embedding).length),
          [embed.length, embed.length],
        )
        await assert.rejects(client.getChatCompletions('unheard-of', messages), { code: 'DeploymentNotFound' })
        await assert.rejects(client.getEmbeddings('unheard-of', ['x']), { code: 'DeploymentNotFound' })
        const stranger = open({ ...at, apiKey: wrongKey })
        await assert.rejects(stranger.getChatCompletions(chat.asked, messages), { code: '401' })
      },
    }),
  ),
  {
    name: '@azure/openai 2 beside AzureOpenAI of openai 4: a program as its guide has it',
    async run({ baseURL, apiKey }, { chat }) {
      // Its types would be added to those of `openai` everywhere; at run time it holds nothing.
      const types: string = '@azure/openai/types'
      await import(types)
      const client = new OpenAI4.AzureOpenAI({ endpoint: baseURL, apiKey, apiVersion, deployment: chat.asked })
      const asked = {
        model: '',
        messages: [{ role: 'user' as const, content: prompt }],
        max_tokens: 10,
        temperature: 0,
      }
      const reply = await client.chat.completions.create(asked)
      assert.equal(reply.model, chat.answers)
      assert.deepEqual(fieldOf(reply, 'prompt_filter_results'), [
        { prompt_index: 0, content_filter_results: unfiltered },
      ])
      assert.deepEqual(fieldOf(reply.choices[0], 'content_filter_results'), unfiltered)
      const events = await all(await client.chat.completions.create({ ...asked, stream: true }))
      assert.ok(Array.isArray(fieldOf(events[0], 'prompt_filter_results')))
      const text = events.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? '')).join('')
      assert.equal(text, reply.choices[0]?.message.content)
    },
  },
]

const fieldOf = (value: object | undefined, name: string): unknown => new Map(Object.entries(value ?? {})).get(name)

const plain = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } }

const langchain = ({ baseURL, apiKey }: Connection, name: string) => ({
  azureOpenAIEndpoint: baseURL,
  azureOpenAIApiKey: apiKey,
  azureOpenAIApiVersion: apiVersion,
  azureOpenAIApiDeploymentName: name,
  maxRetries: 0,
})

const textOf = ({ choices }: ChatCompletions): string => choices[0]?.message?.content ?? ''

/** The error in place of a result, without what this client adds to it. */
function told(results: object | undefined): object | undefined {
  if (results === undefined || !('error' in results)) return undefined
  const { code, message } = results.error as { code: string; message: string }
  return { code, message }
}
