import { type Dice, dice } from '../support/random.ts'
import { encode, type RawRequest } from '../support/socket.ts'
import { corpus } from './corpus.ts'

/** One request of a fuzz run, the same for the same seed and number. */
export interface Attempt {
  bytes: Buffer
  /** What was done to it. */
  kind: Kind
  /** Whether it still is one HTTP request of the length it says, so that an answer must come and the connection can stay. */
  framed: boolean
  toHead: boolean
}

const kinds = ['json', 'json', 'json', 'json', 'bytes', 'bytes', 'headers', 'line', 'raw'] as const
export type Kind = (typeof kinds)[number]

/** @param key a valid one, so that mutations reach what lies behind it */
export function attempt(seed: number, number: number, key: string): Attempt {
  const chance = dice((seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0)
  const kind = chance.pick(kinds)
  const { path, body } = chance.pick(corpus)
  const request: RawRequest = { path, headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(body) }
  if (kind === 'json') {
    let value: unknown = structuredClone(body)
    for (let rounds = chance.once(3) ? 1 + chance.below(4) : 1; rounds > 0; rounds--) value = mutateValue(value, chance)
    request.body = JSON.stringify(value) ?? ''
  }
  if (kind === 'bytes') request.body = mutateBytes(Buffer.from(JSON.stringify(body)), chance)
  if (kind === 'headers') mutateHeaders(request, chance)
  if (kind === 'line') mutateLine(request, chance)
  const bytes = encode(request)
  if (kind === 'raw') return { kind, bytes: mutateBytes(bytes, chance), framed: false, toHead: false }
  return { kind, bytes, framed: true, toHead: request.method === 'HEAD' }
}

const longText = 'x'.repeat(20_000)
const odd: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1,
  2,
  3,
  0.1,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 53,
  1e-320,
  128,
  129,
  '',
  ' ',
  '\u0000',
  '\ufeff',
  '\u202e',
  'null',
  'NaN',
  '1',
  'true',
  'user',
  'system',
  'tool',
  'function',
  'developer',
  'text',
  'image_url',
  'float',
  'base64',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  "' OR 1=1 --",
  '{{ messages }}',
  '<|im_start|>system',
  '\ud83d\ude00'.repeat(50),
  longText,
  [],
  [[]],
  {},
  [null],
  [[1, 2], ['a']],
  { type: 'text' },
  { type: 'text', text: 5 },
  { role: 'user', content: 'Hi' },
  { toString: 1, valueOf: null, hasOwnProperty: 2 },
]
const names = [
  ...new Set(corpus.flatMap(({ body }) => Object.keys(body))),
  ...[
    'logprobs',
    'top_logprobs',
    'functions',
    'function_call',
    'suffix',
    'store',
    'audio',
    'modalities',
    'prediction',
    'tool_calls',
  ],
  ...[
    'tool_call_id',
    'name',
    'refusal',
    'constructor',
    'toString',
    'length',
    '',
    ' ',
    '\u0000',
    'a.b[0]',
    longText.slice(0, 300),
  ],
]

/** Where a value stands in its parent. */
interface Spot {
  holder: Record<string, unknown> | unknown[]
  key: string | number
}

/** Changes one place of a JSON value, the whole of it included. */
function mutateValue(value: unknown, chance: Dice): unknown {
  const spots: Spot[] = []
  collect(value, spots)
  if (spots.length === 0 || chance.once(60)) return chance.pick(odd)
  const { holder, key } = chance.pick(spots)
  const other = chance.pick(spots)
  const get = (): unknown => Reflect.get(holder, key)
  const set = (changed: unknown) => void Reflect.set(holder, key, changed)
  const steps: (() => void)[] = [
    () => set(structuredClone(chance.pick(odd))),
    () => set(structuredClone(chance.pick(odd))),
    () => set([get()]),
    () => set({ [chance.pick(names)]: get() }),
    () => set(JSON.stringify(get())),
    () => set(nested(get(), chance.below(80))),
    () => set(structuredClone(Reflect.get(other.holder, other.key))),
    () => (Array.isArray(holder) ? void holder.splice(Number(key), 1) : void Reflect.deleteProperty(holder, key)),
    () => (Array.isArray(holder) ? holder.push(...Array(chance.below(30)).fill(get())) : set(get())),
    () =>
      Array.isArray(holder)
        ? holder.unshift(chance.pick(odd))
        : void Reflect.set(holder, chance.pick(names), structuredClone(chance.pick(odd))),
    () => (typeof get() === 'number' ? set(Number(get()) * (chance.next() * 4 - 2)) : set(chance.below(1000))),
  ]
  chance.pick(steps)()
  return value
}

function collect(value: unknown, spots: Spot[]): void {
  if (typeof value !== 'object' || value === null) return
  const holder = value as Spot['holder']
  for (const key of Array.isArray(holder) ? holder.keys() : Object.keys(holder)) {
    spots.push({ holder, key })
    collect(Reflect.get(holder, key), spots)
  }
}

function nested(value: unknown, levels: number): unknown {
  let outer = value
  for (let level = 0; level < levels; level++) outer = level % 2 === 0 ? [outer] : { a: outer }
  return outer
}

const splinters = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '1e999',
  'NaN',
  '-',
  '\\u0000',
  '\\ud800',
  '\u0000',
  '\ufeff',
  '__proto__',
  '\r\n\r\n',
  '\r\n',
  '/*',
  "'",
  '0x',
  '\u00ff',
]

function mutateBytes(original: Buffer, chance: Dice): Buffer {
  let bytes = Buffer.from(original)
  for (let rounds = 1 + chance.below(4); rounds > 0; rounds--) {
    const at = chance.below(bytes.length + 1)
    const to = Math.min(bytes.length, at + chance.below(12))
    const [before, cut, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)]
    const noise = Buffer.from(Array.from({ length: 1 + chance.below(6) }, () => chance.below(256)))
    bytes = Buffer.concat(
      chance.pick([
        [before, after],
        [before, cut, cut, after],
        [before, noise, after],
        [before, Buffer.from(chance.pick(splinters), chance.once(2) ? 'latin1' : 'utf8'), cut, after],
        [before],
        [after, before],
        [before, cut.map(byte => byte ^ (1 << chance.below(8))), after],
      ]),
    )
  }
  return bytes
}

const oddHeaders: readonly [name: string, value: string][] = [
  ['authorization', ''],
  ['authorization', 'Bearer'],
  ['authorization', `Bearer ${'k'.repeat(3000)}`],
  ['authorization', 'Bearer \u00ff\u00fe'],
  ['authorization', "Bearer ' OR '1'='1"],
  ['content-type', 'text/html'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'multipart/form-data'],
  ['content-type', ';'],
  ['content-encoding', 'br'],
  ['content-encoding', 'gzip, gzip'],
  ['openai-organization', 'org-of-others'],
  ['openai-project', '../..'],
  ['openai-beta', 'assistants=v2'],
  ['x-request-id', '<script>'],
  ['x-forwarded-for', '127.0.0.1'],
  ['x-forwarded-host', 'evil.example'],
  ['host', ''],
  ['host', 'evil.example/#?'],
  ['accept', 'text/html'],
  ['accept-encoding', 'gzip'],
  ['range', 'bytes=0-1'],
  ['if-none-match', '*'],
  ['expect', '100-continue'],
  ['expect', 'miracles'],
  ['te', 'trailers'],
  ['cookie', 'a=b; c'],
  ['x-http-method-override', 'DELETE'],
  ['x-long', 'y'.repeat(8000)],
  ['x-stainless-retry-count', '-1'],
]

function mutateHeaders(request: RawRequest, chance: Dice): void {
  for (let rounds = 1 + chance.below(3); rounds > 0; rounds--) {
    const [name, value] = chance.pick(oddHeaders)
    request.headers = { ...request.headers, [name]: value }
  }
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE']
const pieces = [
  '/',
  '//',
  '..',
  '%2e%2e',
  '%00',
  '%',
  '%zz',
  '?',
  '#',
  ';',
  '\\',
  '*',
  'v1',
  'v1/v1',
  '{model}',
  ':model',
  'models',
  'a'.repeat(1200),
  '%F0%9F%98%80',
  '\u00e9',
  "'",
]

function mutateLine(request: RawRequest, chance: Dice): void {
  request.method = chance.pick(methods)
  let path = chance.pick([
    request.path!,
    '/v1/models',
    '/v1/models/gpt-3.5-turbo',
    '/',
    '/health',
    '/openapi.json',
    '*',
  ])
  for (let rounds = chance.below(4); rounds > 0; rounds--) {
    const at = chance.below(path.length + 1)
    path = path.slice(0, at) + chance.pick(pieces) + path.slice(at + chance.below(4))
  }
  request.path = path === '' ? '/' : path
  if (chance.once(2)) delete request.body
}
