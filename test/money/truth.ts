import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'

/** What the upstream is to do with one request; it stands as JSON in the last message. */
export interface Script {
  /** Tokens of the reply: one piece of text each. */
  pieces: number
  /**
   * `whole`: to the end. `hold`: nothing comes after `after` pieces until the other side leaves. `reset`: the connection is broken
   * after so many, once the client has them all.
   */
  end: 'whole' | 'hold' | 'reset'
  after: number
  /** The usage that a whole reply tells. */
  prompt: number
  completion: number
}

/** What was served for one request, by its `user`. */
export interface Served {
  /** How often it was asked. */
  asked: number
  /** Pieces that were sent. */
  sent: number
}

/** An upstream that knows what it has served. */
export interface Truth {
  readonly baseUrl: string
  readonly served: ReadonlyMap<string, Served>
  /** Settles when a request of this tag has come. */
  arrived(tag: string): Promise<void>
  /** The client says how many pieces it has. */
  has(tag: string, pieces: number): void
  /** Forgets who waits for whom in a request that is over. */
  over(tag: string): void
  close(): Promise<void>
}

export const upstreamKey = 'sk-truth-0123456789'
/** After so many pieces others have their turn, so that a client can leave in between. */
const turnPieces = 10
/** One token of every encoding, also when many stand side by side. */
export const piece = ' hello'

interface Body {
  user: string
  stream?: boolean
  max_tokens?: number
  messages: { content: string }[]
}

export async function startTruth(): Promise<Truth> {
  const upstream = new Upstream()
  const server = createServer((request, response) => {
    upstream.answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    served: upstream.served,
    arrived: tag => upstream.arrivals.until(tag, 1),
    has: (tag, pieces) => upstream.progress.tell(tag, pieces),
    over(tag) {
      upstream.arrivals.forget(tag)
      upstream.progress.forget(tag)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Numbers by name that only grow, and those who wait for them. */
class Marks {
  readonly #marks = new Map<string, { value: number; waiting: { value: number; wake: () => void }[] }>()

  #of(name: string) {
    const known = this.#marks.get(name)
    if (known !== undefined) return known
    const made = { value: 0, waiting: [] }
    this.#marks.set(name, made)
    return made
  }

  tell(name: string, value: number): void {
    const mark = this.#of(name)
    mark.value = Math.max(mark.value, value)
    for (const waiting of mark.waiting) if (mark.value >= waiting.value) waiting.wake()
  }

  until(name: string, value: number): Promise<void> {
    const mark = this.#of(name)
    if (mark.value >= value) return Promise.resolve()
    return new Promise(wake => mark.waiting.push({ value, wake }))
  }

  forget(name: string): void {
    this.#marks.delete(name)
  }
}

class Upstream {
  readonly served = new Map<string, Served>()
  readonly arrivals = new Marks()
  readonly progress = new Marks()

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await json(request)) as Body
    const script = JSON.parse(body.messages.at(-1)!.content) as Script
    const pieces = Math.min(script.pieces, body.max_tokens ?? script.pieces)
    const served = this.served.get(body.user) ?? { asked: 0, sent: 0 }
    served.asked++
    this.served.set(body.user, served)
    this.arrivals.tell(body.user, 1)
    const left = new Promise<void>(resolve => response.once('close', resolve))
    const usage = {
      prompt_tokens: script.prompt,
      completion_tokens: pieces === script.pieces ? script.completion : pieces,
      total_tokens: script.prompt + (pieces === script.pieces ? script.completion : pieces),
    }
    if (script.end === 'reset' && script.after === 0) {
      request.socket.resetAndDestroy()
      return
    }
    if (body.stream !== true) {
      if (script.end === 'hold') return left
      served.sent = pieces
      const text = JSON.stringify(whole(piece.repeat(pieces), usage))
      const broken = script.end === 'reset'
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
      if (broken) response.write(text.slice(0, 40), () => request.socket.resetAndDestroy())
      else response.end(text)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let number = 1; number <= pieces; number++) {
      if (response.destroyed) return
      served.sent = number
      response.write(event({ content: piece }, null))
      if (number % turnPieces === 0) await turn()
      if (number !== script.after || script.end === 'whole') continue
      if (script.end === 'hold') return left
      await Promise.race([this.progress.until(body.user, number), left])
      request.socket.resetAndDestroy()
      return
    }
    response.write(event({}, 'stop'))
    response.write(`data: ${JSON.stringify({ ...envelope, choices: [], usage })}\n\n`)
    response.end('data: [DONE]\n\n')
  }
}

const envelope = { id: 'chatcmpl-truth', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'gpt-4' }

const event = (delta: object, finish_reason: string | null): string =>
  `data: ${JSON.stringify({ ...envelope, choices: [{ index: 0, delta, logprobs: null, finish_reason }] })}\n\n`

const whole = (content: string, usage: object): object => ({
  ...envelope,
  object: 'chat.completion',
  choices: [
    { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
  ],
  usage,
})
