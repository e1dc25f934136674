import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChatRequest, countChat, countChatInSlices } from './chat.ts'
import { getEncoding } from './index.ts'

// OpenAI cookbook, "How to count tokens with tiktoken", section 6: the counts of the API.
const cookbook: ChatRequest['messages'] = [
  {
    role: 'system',
    content: 'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.',
  },
  { role: 'system', name: 'example_user', content: 'New synergies will help drive top-line growth.' },
  { role: 'system', name: 'example_assistant', content: 'Things working well together will increase revenue.' },
  {
    role: 'system',
    name: 'example_user',
    content: "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
  },
  {
    role: 'system',
    name: 'example_assistant',
    content: "Let's talk later when we're less busy about how to do better.",
  },
  {
    role: 'user',
    content: "This late pivot means we don't have time to boil the ocean for the client deliverable.",
  },
]

const cookbookCounts: readonly (readonly [model: string, tokens: number])[] = [
  ['gpt-3.5-turbo-0301', 127],
  ['gpt-3.5-turbo', 129],
  ['gpt-4-0314', 129],
  ['gpt-4-0613', 129],
  ['gpt-4', 129],
  ['gpt-35-turbo', 129],
  ['gpt-4o', 124],
  ['gpt-4o-mini', 124],
  ['ft:gpt-4o-2024-08-06:acme::1', 124],
]

for (const [model, tokens] of cookbookCounts) {
  test(`the messages of the cookbook are ${tokens} tokens in ${model}`, () => {
    assert.deepEqual(countChat({ model, messages: cookbook }), { tokens, assumptions: [] })
  })
}

// Section 7 of the same.
test('the tools of the cookbook are 105 tokens in gpt-4 and 101 in gpt-4o', () => {
  const request = {
    messages: [
      { role: 'system', content: 'You are a helpful assistant that can answer to questions about the weather.' },
      { role: 'user', content: "What's the weather like in San Francisco?" },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'get_current_weather',
          description: 'Get the current weather in a given location',
          parameters: {
            type: 'object',
            properties: {
              location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
              unit: {
                type: 'string',
                description: 'The unit of temperature to return',
                enum: ['celsius', 'fahrenheit'],
              },
            },
            required: ['location'],
          },
        },
      },
    ],
  }
  for (const model of ['gpt-3.5-turbo', 'gpt-4']) assert.equal(countChat({ model, ...request }).tokens, 105)
  for (const model of ['gpt-4o', 'gpt-4o-mini']) assert.equal(countChat({ model, ...request }).tokens, 101)
})

/** A question, an answer of the assistant with calls, and the results. */
function conversation(
  model: string,
  question: string | undefined,
  calls: [name: string, args: string, result: string][],
  say?: string,
) {
  return {
    model,
    messages: [
      ...(question === undefined ? [] : [{ role: 'user', content: question }]),
      {
        role: 'assistant',
        content: say ?? null,
        tool_calls: calls.map(([name, args], i) => ({
          id: `call_${i}`,
          type: 'function',
          function: { name, arguments: args },
        })),
      },
      ...calls.map(([, , content], i) => ({ role: 'tool', tool_call_id: `call_${i}`, content })),
    ],
  }
}

const weather = (args: string, result: string): [string, string, string] => ['get_current_weather', args, result]

// github.com/chrisdinn/tokens, counter_test.go: the counts of the API in March 2024.
const oneCall: readonly (readonly [question: string, args: string, result: string, tokens: number, say?: string])[] = [
  ['I want to ski at Vail this weekend.', '{"location": "Vail, CO"}', '{"temperature": "35"}', 50],
  [
    'I want to ski at Park City this weekend.',
    '{"location": "Park City, UT"}',
    '{"location": "Park City, UT", "temperature": "45"}',
    59,
  ],
  [
    'I want to ski at Whistler this weekend.',
    '{"location": "Whistler, BC"}',
    '{"location": "Whistler, BC", "format": "fahrenheit", "temperature": "45"}',
    69,
  ],
  ["What's the weather?", '{}', '{}', 33],
  ["What's the weather?", '{}', '{"temperature": "45"}', 38],
  [
    'I want to ski at Breckenridge this weekend.',
    '{"location": "Breckenridge, CO"}',
    'The weather in Breckenridge, CO is 38 degrees.',
    70,
    'I can help with that.',
  ],
]

for (const [question, args, result, tokens, say] of oneCall) {
  test(`one call and its result: ${result} after "${question}" is ${tokens} tokens`, () => {
    const count = countChat(conversation('gpt-4-turbo', question, [weather(args, result)], say))
    assert.deepEqual(count, { tokens, assumptions: [] })
  })
}

test('a named result counts what the API billed', () => {
  // github.com/forestwanglin/openai-java, issue 5: 35 in gpt-4.
  const request = conversation('gpt-4', undefined, [weather('{\n  "location": "Boston, MA"\n}', '29 degree celcius')])
  const messages = request.messages.map(message =>
    message.role === 'tool' ? { ...message, name: 'get_current_weather' } : message,
  )
  assert.equal(countChat({ ...request, messages }).tokens, 35)
})

test('several calls at once count what the API billed, and say that the rule is not published', () => {
  // community.openai.com topic 538914: 89 for two calls, 114 for three, 25 for each more.
  for (const [calls, tokens] of [
    [2, 89],
    [3, 114],
    [4, 139],
  ] as const) {
    const all = Array.from({ length: calls }, (): [string, string, string] => ['calculator', '{"a":2, "b":2}', '4'])
    const count = countChat(conversation('gpt-3.5-turbo', 'How much is 2 plus 2?', all))
    assert.equal(count.tokens, tokens)
    assert.equal(count.assumptions.length, 1)
  }
  // Of the same author as above: 111 and 159. The rule counts more, never less.
  const killington = countChat(
    conversation('gpt-4-turbo', 'Should I ski at Killington or Tremblant this weekend?', [
      weather('{"location": "Killington, VT"}', 'The weather in Killington, VT is 45 degrees.'),
      weather('{"location": "Mount Tremblant, QC"}', 'The weather at Mount Tremblant, QC is 32 degrees.'),
    ]),
  )
  assert.ok(killington.tokens >= 111 && killington.tokens <= 111 * 1.1, String(killington.tokens))
})

test('the results of several calls are billed as escaped JSON', () => {
  const calls = (result: string) => [weather('{}', result), weather('{}', result)]
  const chinese = countChat(conversation('gpt-4o', '?', calls('天气很好'))).tokens
  const english = countChat(conversation('gpt-4o', '?', calls('fine weather'))).tokens
  assert.ok(chinese - english > 20, 'each character is an escape of several tokens')
})

const tinyPng =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z/C/HgAGgwJ/lK3Q6wAAAABJRU5ErkJggg=='

test('images count by their size, which is read from data URLs', () => {
  const picture = (url: string, detail?: string) => [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Describe this picture:' },
        { type: 'image_url', image_url: detail === undefined ? { url } : { url, detail } },
      ],
    },
  ]
  // github.com/pamelafox/openai-messages-token-helper, tests/image_messages.py: the counts of the API.
  assert.equal(countChat({ model: 'gpt-4o', messages: picture(tinyPng) }).tokens, 266)
  assert.equal(countChat({ model: 'gpt-4o', messages: picture(tinyPng, 'low') }).tokens, 96)
  assert.equal(countChat({ model: 'gpt-4o-mini', messages: picture(tinyPng, 'auto') }).tokens, 8511)
  assert.equal(countChat({ model: 'gpt-4o-mini', messages: picture(tinyPng, 'low') }).tokens, 2844)
  const remote = { model: 'gpt-4o', messages: picture('https://example.com/a.png') }
  const known = countChat(remote, {
    imageSize: url => (url.endsWith('a.png') ? { width: 1024, height: 1024 } : undefined),
  })
  assert.deepEqual(known, { tokens: 11 + 765, assumptions: [] })
  const unknown = countChat(remote)
  assert.equal(unknown.tokens, 11 + 85 + 8 * 170)
  assert.equal(unknown.assumptions.length, 1)
})

test('what is not counted is named', () => {
  const { assumptions } = countChat({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: [{ type: 'input_audio' }] }],
    tools: [{ type: 'custom' }],
    response_format: { type: 'json_schema' },
  })
  assert.equal(assumptions.length, 3)
  assert.match(assumptions.join(' '), /input_audio/)
})

test('an unknown model needs an encoding', () => {
  const request = { model: 'my-model', messages: [{ role: 'user', content: 'hello' }] }
  assert.throws(() => countChat(request), { code: 'model_not_found' })
  assert.equal(countChat(request, { encoding: getEncoding('cl100k_base') }).tokens, 8)
})

test('special tokens in messages are text', () => {
  const { tokens } = countChat({ model: 'gpt-4', messages: [{ role: 'user', content: '<|endoftext|>' }] })
  assert.equal(tokens, 7 + getEncoding('cl100k_base').encodeOrdinary('<|endoftext|>').length)
})

test('broken arguments and deep schemas are counted without failing', () => {
  let parameters: Record<string, unknown> = { type: 'string' }
  for (let i = 0; i < 5_000; i++) parameters = { type: 'array', items: parameters }
  const count = countChat({
    model: 'gpt-4o',
    messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{"a":' } }] }],
    tools: [
      { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { x: parameters } } } },
    ],
  })
  assert.ok(count.tokens > 20 && count.tokens < 200)
})

test('counting in slices gives the same', async () => {
  const request = { model: 'gpt-4o', messages: [{ role: 'user', content: 'a long text 长 '.repeat(30_000) }] }
  assert.deepEqual(await countChatInSlices(request), countChat(request))
  const controller = new AbortController()
  controller.abort()
  await assert.rejects(countChatInSlices(request, { signal: controller.signal }), { name: 'AbortError' })
})
