/** Scripts for `hostileUpstream`: answers, whole and broken, as bytes on the wire. */
import type { Script } from './upstream.ts'

/** A whole answer with a content-length. */
export const answer = (status: number, headers: Record<string, string>, body: string | Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${status} Whatever\r\n${lines({ ...headers, 'content-length': String(Buffer.byteLength(body)) })}\r\n`,
      'latin1',
    ),
    Buffer.from(body),
  ])

export const jsonAnswer = (status: number, value: unknown, headers: Record<string, string> = {}): Script =>
  bytes(answer(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(value)))

const lines = (headers: Record<string, string>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

/** Sends these bytes and leaves the connection open. */
export const bytes =
  (whole: string | Buffer): Script =>
  async wire => {
    await wire.send(whole)
  }

/** Sends these bytes, then FIN. */
export const bytesThenEnd =
  (whole: string | Buffer): Script =>
  async wire => {
    await wire.send(whole)
    wire.end()
  }

/** Sends these bytes, then RST. */
export const bytesThenReset =
  (whole: string | Buffer): Script =>
  async wire => {
    await wire.send(whole)
    wire.reset()
  }

/** Reads the request and never answers. */
export const silence: Script = async wire => {
  await wire.closed
}

export const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n' +
  'set-cookie: track=1\r\nserver: secret/1.0\r\nx-ratelimit-remaining-requests: 3\r\n\r\n'

/** One chunk of the chunked encoding. */
export const chunk = (data: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${Buffer.byteLength(data).toString(16)}\r\n`), Buffer.from(data), Buffer.from('\r\n')])

export const lastChunk = '0\r\n\r\n'

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

const envelope = { id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: 1_700_000_001, model: 'big-1' }

/** A chat chunk with one choice. */
export const chatEvent = (delta: object, finish: string | null = null, more: object = {}): string =>
  event({ ...envelope, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...more })

export const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }
export const usageEvent = event({ ...envelope, choices: [], usage })
export const done = 'data: [DONE]\n\n'

/** The events of a well-formed reply: “Hel”, “lo ”, “wörld”, the end, usage, done. */
export const goodEvents = [
  chatEvent({ role: 'assistant', content: '' }),
  chatEvent({ content: 'Hel' }),
  chatEvent({ content: 'lo ' }),
  chatEvent({ content: 'wörld' }),
  chatEvent({}, 'stop'),
  usageEvent,
  done,
]

/** Sends events as a stream, each in its own chunk and packet, to a clean end. */
export const stream =
  (events: readonly (string | Buffer)[], end = lastChunk): Script =>
  async wire => {
    await wire.send(streamHead)
    for (const one of events) await wire.send(chunk(one))
    await wire.send(end)
  }

/** Sends the head and these events, then does nothing more until the connection closes. */
export const streamThenSilence =
  (events: readonly string[]): Script =>
  async wire => {
    await wire.send(streamHead)
    for (const one of events) await wire.send(chunk(one))
    await wire.closed
  }

/** Sends one event again and again, as fast as it is taken, until the connection closes or `bytesMax` were sent. */
export const endless =
  (one: string | Buffer, head = streamHead, bytesMax = 1 << 30): Script =>
  async wire => {
    await wire.send(head)
    const piece = chunk(one)
    // Writes settle without a turn of the event loop while the kernel has room; the other side shares the loop.
    while (wire.sentBytes < bytesMax && (await wire.send(piece))) await new Promise(setImmediate)
  }

export const completion = {
  id: 'chatcmpl-upstream',
  object: 'chat.completion',
  created: 1_700_000_001,
  model: 'big-1',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'Hello', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage,
}
