import assert from 'node:assert/strict'
import * as v6 from 'openai'
import * as v4 from 'openai-v4'
import OpenAI420, * as v420 from 'openai-v4-20'
import * as v5 from 'openai-v5'
import * as v7 from 'openai-v7'
import type { Era } from '../spec/validate.ts'
import type { Exchange } from '../support/recorder.ts'
import type { ChatChunk, Client, ClientKind, Completion, Connection } from './client.ts'
import { conforms } from './conform.ts'
import { all, failure } from './expect.ts'
import { kind } from './node4.ts'
import type { Place, Scenario } from './scenarios.ts'

export const apiVersion = '2024-10-21'
/** What Azure says when no filter has looked. */
export const unfiltered = { error: { code: 'content_filter_error', message: 'The contents are not filtered' } }

/** Azure's class where the version has one; `baseURL` is the address of the server without a path. */
export const azureKinds: readonly ClientKind[] = [
  kind('openai-node 4.20 as its guide has it', '2023-11-28', v420, at => {
    const client = new OpenAI420({ ...at, baseURL: `${at.baseURL}/openai` })
    const of = (model: string) =>
      new OpenAI420({
        ...{ apiKey: at.apiKey, maxRetries: 0, baseURL: `${at.baseURL}/openai/deployments/${model}` },
        defaultQuery: { 'api-version': apiVersion },
        defaultHeaders: { 'api-key': at.apiKey },
      })
    const perDeployment = {
      models: client.models,
      chat: {
        completions: { create: (body: { model: string }) => of(body.model).chat.completions.create(body as never) },
      },
      completions: { create: (body: { model: string }) => of(body.model).completions.create(body as never) },
      embeddings: { create: (body: { model: string }) => of(body.model).embeddings.create(body as never) },
    }
    return { client: perDeployment as never, stream: body => of(body.model).beta.chat.completions.stream(body) }
  }),
  kind('AzureOpenAI of openai-node 4.104', '2024-12-18', v4, at => {
    const client = new v4.AzureOpenAI(settings(at))
    return { client, stream: body => client.beta.chat.completions.stream(body) }
  }),
  kind('AzureOpenAI of openai-node 5', '2026-08-21', v5, at => {
    const client = new v5.AzureOpenAI(settings(at))
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
  kind('AzureOpenAI of openai-node 6', '2026-08-21', v6, at => {
    const client = new v6.AzureOpenAI(settings(at))
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
  kind('AzureOpenAI of openai-node 7', '2026-08-21', v7, at => {
    const client = new v7.AzureOpenAI(settings(at))
    return { client, stream: body => client.chat.completions.stream(body), stored: client.chat.completions }
  }),
].map(azureKind => ({ ...azureKind, open: at => behindOpening(azureKind.open(at)) }))

const settings = ({ baseURL, ...at }: Connection & { maxRetries: number }) => ({ ...at, endpoint: baseURL, apiVersion })

/** The same client without the first event of its streams, which is looked at here: what follows is as everywhere. */
function behindOpening(client: Client): Client {
  async function* rest<Chunk extends ChatChunk | Completion>(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    let opened = false
    for await (const chunk of chunks) {
      if (opened) yield chunk
      else {
        const { id, model, choices } = chunk
        assert.deepEqual({ id, model, choices }, { id: '', model: '', choices: [] })
        assert.ok('prompt_filter_results' in chunk && Array.isArray(chunk.prompt_filter_results))
        assert.deepEqual(chunk.prompt_filter_results[0], { prompt_index: 0, content_filter_results: unfiltered })
        opened = true
      }
    }
  }
  return {
    ...client,
    withKey: key => behindOpening(client.withKey(key)),
    chatStream: (body, signal) => rest(client.chatStream(body, signal)),
    completionStream: body => rest(client.completionStream(body)),
  }
}

/** What is different on Azure's paths. */
export const azureScenarios: readonly Scenario[] = [
  {
    name: 'replies say that nothing was filtered, of the prompt and of each choice',
    async run(client, { chat, completion }) {
      const reply = await client.chat({ model: chat.asked, messages: [{ role: 'user', content: 'Hi' }], n: 2 })
      const text = await client.completion({ model: completion.asked, prompt: ['Hi', 'Ho'], max_tokens: 2 })
      for (const [{ choices, ...rest }, prompts] of [
        [reply, 1],
        [text, 2],
      ] as const) {
        assert.equal(choices.length, 2)
        for (const choice of choices)
          assert.deepEqual('content_filter_results' in choice && choice.content_filter_results, unfiltered)
        assert.deepEqual(
          'prompt_filter_results' in rest && rest.prompt_filter_results,
          Array.from({ length: prompts }, (_, index) => ({ prompt_index: index, content_filter_results: unfiltered })),
        )
      }
    },
  },
  {
    name: 'a wrong key is a 401 that names no key',
    async run(client, place) {
      const key = 'sk-wrong-4f2b8d6a9c1e7f3b5d0a'
      const stranger = client.withKey(key)
      for (const call of callsTo(stranger, place)) {
        const { status, code, className, message } = await failure(stranger, call)
        assert.deepEqual([status, code, className], [401, '401', 'AuthenticationError'])
        assert.match(message, /Access denied due to invalid subscription key or wrong API endpoint\./)
        assert.ok(!message.includes(key), 'the key is masked')
      }
    },
  },
  {
    name: 'an unknown deployment is a 404 that says so',
    async run(client, place) {
      const asked = 'unheard-of'
      for (const call of callsTo(client, {
        ...place,
        chat: { ...place.chat, asked },
        completion: { ...place.completion, asked },
        embed: { ...place.embed, asked },
      })) {
        const { status, code, className, message, requestId } = await failure(client, call)
        assert.deepEqual([status, code, className], [404, 'DeploymentNotFound', 'NotFoundError'])
        assert.match(message, /The API deployment for this resource does not exist\./)
        assert.ok(message.includes(asked))
        assert.match(requestId ?? '', /^req_[0-9a-f]{32}$/)
      }
    },
  },
]

function callsTo(client: Client, { chat, completion, embed }: Place): (() => Promise<unknown>)[] {
  const body = { model: chat.asked, messages: [{ role: 'user' as const, content: 'Hi' }] }
  return [
    () => client.chat(body),
    () => all(client.chatStream(body)),
    () => client.completion({ model: completion.asked, prompt: 'Hi' }),
    () => client.embed({ model: embed.asked, input: 'Hi' }),
  ]
}

/** A reply of Azure's paths is what OpenAI's description says, but for the event that streams open with, and for errors. */
export function azureConforms(exchange: Exchange, era: Era): void {
  const { path, status, headers, body } = exchange
  const [, rest] = /^\/(?:v1\/)?openai\/(?:v1\/|deployments\/[^/]+\/)?([^?]*)/.exec(path) ?? []
  assert.ok(rest !== undefined, path)
  assert.match(String(headers['apim-request-id']), /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  const plain = { ...exchange, path: `/v1/${rest}` }
  if (status >= 400) {
    const { error } = JSON.parse(body.toString())
    assert.ok(typeof error.code === 'string' && typeof error.message === 'string', body.toString())
    if ('type' in error) conforms(plain, era)
  } else if (headers['content-type'] !== 'text/event-stream') conforms(plain, era)
  else {
    const end = body.indexOf('\n\n') + 2
    assert.ok(body.subarray(0, end).includes('"prompt_filter_results"'), body.subarray(0, end).toString())
    conforms({ ...plain, body: body.subarray(end) }, era)
  }
}
