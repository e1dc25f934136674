const model = 'gpt-3.5-turbo'
const hello = [{ role: 'user', content: 'Hello' }]
const schema = {
  type: 'object',
  properties: {
    city: { type: 'string', pattern: '^[A-Z][a-z]+$' },
    days: { type: 'array', items: { enum: [1, 'two', null] }, maxItems: 3 },
  },
  required: ['city', 'days'],
  additionalProperties: false,
}
const weather = {
  type: 'function',
  function: { name: 'weather', description: 'Tells the weather.', parameters: schema },
}
/** Valid requests that mutations start from. */
export const corpus: readonly { path: string; body: Record<string, unknown> }[] = [
  { path: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 2 } },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: '你好 ☕' }] },
        { role: 'assistant', content: 'Hi.' },
        { role: 'user', content: 'Go on' },
      ],
      max_completion_tokens: 2,
      temperature: 0.7,
      top_p: 0.9,
      n: 2,
      seed: 5,
      stop: ['\n', 'END'],
      user: 'user-1',
    },
  },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 2,
      stream: true,
      stream_options: { include_usage: true },
    },
  },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: [
        { role: 'user', content: 'What is the weather in Paris?' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'Rain' },
      ],
      tools: [weather],
      tool_choice: 'auto',
      max_tokens: 2,
    },
  },
  {
    path: '/v1/chat/completions',
    body: { model, messages: hello, tools: [weather], tool_choice: 'required', max_tokens: 3 },
  },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: hello,
      response_format: { type: 'json_schema', json_schema: { name: 'reply', strict: true, schema } },
      max_tokens: 3,
    },
  },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: hello,
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { 50: 1 },
      presence_penalty: 0.5,
      frequency_penalty: -0.5,
      max_tokens: 2,
    },
  },
  {
    path: '/v1/chat/completions',
    body: {
      model,
      messages: hello,
      functions: [weather.function],
      function_call: { name: 'weather' },
      max_tokens: 2,
      store: true,
      metadata: { a: 'b' },
      service_tier: 'auto',
      prompt_cache_key: 'k',
      safety_identifier: 'u',
    },
  },
  { path: '/v1/chat/completions/chatcmpl-1', body: { metadata: { a: 'b' } } },
  { path: '/v1/completions', body: { model, prompt: 'Once upon a time', max_tokens: 2, echo: false, best_of: 1 } },
  { path: '/v1/completions', body: { model, prompt: [[1, 2, 3], [4]], max_tokens: 1, temperature: 0, stream: true } },
  {
    path: '/v1/embeddings',
    body: { model: 'text-embedding-ada-002', input: ['Hello', 'world'], encoding_format: 'float', dimensions: 8 },
  },
  {
    path: '/v1/embeddings',
    body: { model: 'text-embedding-3-small', input: [[83, 1609, 5963], [374]], encoding_format: 'base64' },
  },
]
