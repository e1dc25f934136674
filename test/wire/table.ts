import { gzipSync } from 'node:zlib'
import type { RawRequest } from '../support/socket.ts'

const good = { model: 'gpt-3.5-turbo', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 }
/** The bytes of a good chat request. */
export const text = JSON.stringify(good)
/** The good request with other or more parameters. */
const withBody = (more: object, path = '/v1/chat/completions'): RawRequest => ({
  path,
  body: JSON.stringify({ ...good, ...more }),
})
/** A chat request with these bytes. */
export const raw = (body: string | Buffer, headers: Record<string, string> = {}): RawRequest => ({
  path: '/v1/chat/completions',
  body,
  headers,
})
const nested = (levels: number) => text.replace('"Hi"', `${'['.repeat(levels)}${']'.repeat(levels)}`)

/** A request that must be refused, and with which words. Status 400 unless it says another. */
export interface Bad {
  name: string
  request: RawRequest
  status?: number
  code?: string | null
  param?: string | null
  says?: RegExp
}

const jsonError = { code: null, param: null, says: /^We could not parse the JSON body of your request/ }
const tokens = { model: 'text-embedding-ada-002' }

export const bad: readonly Bad[] = [
  // no JSON
  { name: 'broken JSON', request: raw(`${text.slice(0, -1)},}`), ...jsonError },
  { name: 'JSON that ends early', request: raw(text.slice(0, 30)), ...jsonError },
  { name: 'two JSON values', request: raw(text + text), ...jsonError },
  { name: 'single quotes', request: raw("{'model': 'gpt-3.5-turbo'}"), ...jsonError },
  { name: 'a comment', request: raw(`/* hello */ ${text}`), ...jsonError },
  { name: 'NaN', request: raw(text.replace('2}', 'NaN}')), ...jsonError },
  { name: 'Infinity', request: raw(text.replace('2}', '-Infinity}')), ...jsonError },
  { name: 'a number that is no double', request: raw(text.replace('2}', '1e999}')), ...jsonError },
  { name: 'a number of a thousand digits', request: raw(text.replace('2}', `${'9'.repeat(1000)}}`)), ...jsonError },
  { name: 'bytes that are not UTF-8', request: raw(Buffer.from(text.replace('Hi', 'Hé'), 'latin1')), ...jsonError },
  { name: 'UTF-16', request: raw(Buffer.from(`\ufeff${text}`, 'utf16le')), ...jsonError },
  { name: 'half of a surrogate pair', request: raw(text.replace('Hi', '\\ud83d')), ...jsonError },
  { name: 'a control character in a string', request: raw(text.replace('Hi', 'H\ni')), ...jsonError },
  { name: 'a form', request: raw('model=gpt-3.5-turbo&messages=Hi'), ...jsonError },
  { name: '__proto__', request: raw(`{"__proto__": {"model": "gpt-3.5-turbo"}, ${text.slice(1)}`), ...jsonError },
  { name: '__proto__ in disguise', request: raw(`{"__pro\\u0074o__": null, ${text.slice(1)}`), ...jsonError },
  {
    name: 'constructor.prototype',
    request: raw(`{"metadata": {"constructor": {"prototype": {}}}, ${text.slice(1)}`),
    ...jsonError,
  },
  // JSON, but no object
  ...['[]', '"text"', '12', 'true', 'null', `[${text}]`].map(
    (body): Bad => ({
      name: `the body ${body.slice(0, 10)}`,
      request: raw(body),
      code: null,
      param: null,
      says: /must be a JSON object/,
    }),
  ),
  { name: 'nesting of 66 levels', request: raw(nested(63)), code: 'json_too_deep', param: null },
  { name: 'nesting of a million levels', request: raw('['.repeat(1_000_000)), code: 'json_too_deep', param: null },
  {
    name: 'nesting of 64 levels, which is allowed and only of the wrong type',
    request: raw(nested(61)),
    code: 'invalid_type',
    param: 'messages[0].content[0]',
  },
  // missing
  { name: 'an empty body', request: raw(''), code: 'missing_required_parameter', param: 'model' },
  { name: 'an empty object', request: raw('{}'), code: 'missing_required_parameter', param: 'model' },
  {
    name: 'no messages',
    request: raw('{"model": "gpt-3.5-turbo"}'),
    code: 'missing_required_parameter',
    param: 'messages',
  },
  {
    name: 'a message without a role',
    request: withBody({ messages: [{ content: 'Hi' }] }),
    code: 'missing_required_parameter',
    param: 'messages[0].role',
  },
  {
    name: 'a message without content',
    request: withBody({ messages: [{ role: 'user' }] }),
    code: 'missing_required_parameter',
    param: 'messages[0].content',
  },
  {
    name: 'no input',
    request: { path: '/v1/embeddings', body: JSON.stringify(tokens) },
    code: 'missing_required_parameter',
    param: 'input',
  },
  // of the wrong type
  { name: 'a model that is a number', request: withBody({ model: 4 }), code: 'invalid_type', param: 'model' },
  { name: 'a model that is null', request: withBody({ model: null }), code: 'invalid_type', param: 'model' },
  { name: 'messages that are a text', request: withBody({ messages: 'Hi' }), code: 'invalid_type', param: 'messages' },
  {
    name: 'a message that is a text',
    request: withBody({ messages: ['Hi'] }),
    code: 'invalid_type',
    param: 'messages[0]',
  },
  {
    name: 'content that is a number',
    request: withBody({ messages: [{ role: 'user', content: 5 }] }),
    code: 'invalid_type',
    param: 'messages[0].content',
  },
  {
    name: 'a temperature that is a text',
    request: withBody({ temperature: '0.5' }),
    code: 'invalid_type',
    param: 'temperature',
  },
  {
    name: 'max_tokens that is no integer',
    request: withBody({ max_tokens: 1.5 }),
    code: 'invalid_type',
    param: 'max_tokens',
  },
  { name: 'stream that is a text', request: withBody({ stream: 'true' }), code: 'invalid_type', param: 'stream' },
  { name: 'a stop of numbers', request: withBody({ stop: [1] }), code: 'invalid_type', param: 'stop[0]' },
  {
    name: 'an input of booleans',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [true] }) },
    code: 'invalid_type',
    param: 'input[0]',
  },
  {
    name: 'an input of texts and tokens',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: ['a', 1] }) },
    code: 'invalid_type',
    param: 'input[1]',
  },
  // out of range
  {
    name: 'an unknown role',
    request: withBody({ messages: [{ role: 'wizard', content: 'Hi' }] }),
    code: 'invalid_value',
    param: 'messages[0].role',
  },
  { name: 'no messages at all', request: withBody({ messages: [] }), code: 'empty_array', param: 'messages' },
  {
    name: 'a temperature below 0',
    request: withBody({ temperature: -0.1 }),
    code: 'decimal_below_min_value',
    param: 'temperature',
  },
  {
    name: 'a temperature above 2',
    request: withBody({ temperature: 2.1 }),
    code: 'decimal_above_max_value',
    param: 'temperature',
  },
  { name: 'top_p above 1', request: withBody({ top_p: 1.01 }), code: 'decimal_above_max_value', param: 'top_p' },
  { name: 'n of 0', request: withBody({ n: 0 }), code: 'integer_below_min_value', param: 'n' },
  { name: 'n of a million', request: withBody({ n: 1_000_000 }), code: 'integer_above_max_value', param: 'n' },
  {
    name: 'max_tokens of 0',
    request: withBody({ max_tokens: 0 }),
    code: 'integer_below_min_value',
    param: 'max_tokens',
  },
  {
    name: 'five stop sequences',
    request: withBody({ stop: ['a', 'b', 'c', 'd', 'e'] }),
    code: 'array_above_max_length',
    param: 'stop',
  },
  {
    name: 'an empty input',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: '' }) },
    code: 'empty_string',
    param: 'input',
  },
  {
    name: 'an empty list of inputs',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [] }) },
    code: 'empty_array',
    param: 'input',
  },
  {
    name: '2049 inputs',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: Array(2049).fill('a') }) },
    code: 'array_above_max_length',
    param: 'input',
  },
  {
    name: 'a token below 0',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [-1] }) },
    code: 'integer_below_min_value',
    param: 'input[0]',
  },
  {
    name: 'a token that is none',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: [9_999_999] }) },
    code: 'invalid_value',
    param: 'input',
  },
  {
    name: 'dimensions of 0',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', dimensions: 0 }) },
    code: 'integer_below_min_value',
    param: 'dimensions',
  },
  {
    name: 'more dimensions than the model has',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', dimensions: 60_000 }) },
    code: 'invalid_value',
    param: 'dimensions',
  },
  {
    name: 'an unknown encoding',
    request: { path: '/v1/embeddings', body: JSON.stringify({ ...tokens, input: 'a', encoding_format: 'hex' }) },
    code: 'invalid_value',
    param: 'encoding_format',
  },
  // not this model, not this parameter
  {
    name: 'an unknown model',
    request: withBody({ model: 'gpt-unheard-of' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'a model with the name of a property',
    request: withBody({ model: 'toString' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'a model that is a path',
    request: withBody({ model: '../../etc/passwd' }),
    status: 404,
    code: 'model_not_found',
    param: null,
  },
  {
    name: 'an embedding model for a chat',
    request: withBody({ model: 'text-embedding-ada-002' }),
    code: 'model_not_supported',
    param: 'model',
  },
  {
    name: 'a chat model for an embedding',
    request: { path: '/v1/embeddings', body: '{"model": "gpt-3.5-turbo", "input": "a"}' },
    code: 'model_not_supported',
    param: 'model',
  },
  {
    name: 'an unknown parameter',
    request: withBody({ temprature: 1 }),
    code: 'unknown_parameter',
    param: 'temprature',
  },
  {
    name: 'an unknown parameter in a message',
    request: withBody({ messages: [{ role: 'user', content: 'Hi', mood: 'good' }] }),
    code: 'unknown_parameter',
    param: 'messages[0].mood',
  },
  {
    name: 'a search of the web, which this model cannot do',
    request: withBody({ web_search_options: {} }),
    code: 'unsupported_parameter',
    param: 'web_search_options',
  },
  {
    name: 'a picture, which this model cannot see',
    request: withBody({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b.png' } }] }],
    }),
    code: 'unsupported_value',
    param: 'messages[0].content[0].type',
  },
  {
    name: 'stream_options without a stream',
    request: withBody({ stream_options: { include_usage: true } }),
    code: 'invalid_value',
    param: 'stream_options',
  },
  {
    name: 'two limits at once',
    request: withBody({ max_completion_tokens: 2 }),
    code: 'invalid_parameter_combination',
    param: 'max_tokens',
  },
  // no way in
  {
    name: 'no key',
    request: { ...withBody({}), headers: { authorization: '' } },
    status: 401,
    code: null,
    param: null,
    says: /You didn't provide an API key/,
  },
  {
    name: 'a wrong key',
    request: { ...withBody({}), headers: { authorization: 'Bearer sk-nobody' } },
    status: 401,
    code: 'invalid_api_key',
    param: null,
  },
  {
    name: 'a key of another scheme',
    request: { ...withBody({}), headers: { authorization: 'Basic dXNlcjpwYXNz' } },
    status: 401,
    code: null,
    param: null,
  },
  {
    name: 'a key with SQL in it',
    request: { ...withBody({}), headers: { authorization: "Bearer ' OR '1'='1" } },
    status: 401,
    param: null,
  },
  {
    name: 'a key of a thousand characters',
    request: { ...withBody({}), headers: { authorization: `Bearer ${'k'.repeat(1000)}` } },
    status: 401,
    param: null,
  },
  {
    name: 'a form’s content type',
    request: raw(text, { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'plain text',
    request: raw(text, { 'content-type': 'text/plain' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'an unreadable content type',
    request: raw(text, { 'content-type': ';;;' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'a compressed body',
    request: raw(gzipSync(text), { 'content-encoding': 'gzip' }),
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
]

/** Requests that look odd and are right. */
export const fine: readonly { name: string; request: RawRequest }[] = [
  { name: 'a byte order mark', request: raw(`\ufeff${text}`) },
  { name: 'white space around', request: raw(` \r\n\t${text}\n`) },
  { name: 'equal keys, of which the last counts', request: raw(`{"model": "gpt-unheard-of", ${text.slice(1)}`) },
  { name: 'escaped characters', request: raw(text.replace('Hi', '\\u0048\\u0069 \\ud83d\\ude00')) },
  { name: 'no content type', request: raw(text) },
  { name: 'a content type with a charset', request: raw(text, { 'content-type': 'application/json; charset=utf-8' }) },
  { name: 'a content type in capitals', request: raw(text, { 'content-type': 'Application/JSON' }) },
  { name: 'the encoding identity', request: raw(text, { 'content-encoding': 'identity' }) },
  {
    name: 'nulls where nothing is meant',
    request: withBody({ temperature: null, stop: null, n: null, stream: null, tools: null, user: null }),
  },
  {
    name: 'neutral values of what this model has not learned',
    request: withBody({
      presence_penalty: 0,
      frequency_penalty: 0,
      logit_bias: {},
      logprobs: false,
      tools: [],
      store: false,
      response_format: { type: 'text' },
    }),
  },
  { name: 'a query', request: { ...raw(text), path: '/v1/chat/completions?api-version=2024-02-01' } },
]
