import { Agent, request } from 'undici'
import { piece, type Script, type Truth } from './truth.ts'

/** One request, and what its client does. */
export interface Plan {
  /** Its `user`, by which its row in the ledger is found. */
  tag: string
  stream: boolean
  script: Script
  /** The client leaves when it has so many pieces; 0: when the upstream has the request. Undefined: it stays. */
  leavesAfter?: number
  maxTokens?: number
}

/** How it went for the client. */
export interface Seen {
  /**
   * `whole`: the reply to its last byte. `refused`: an error in one piece. `broken`: an error in mid-stream, and its end.
   * `silent`: nothing came for so long that the client gave up, although the upstream had sent what it waited for.
   */
  outcome: 'whole' | 'refused' | 'broken' | 'left' | 'cut' | 'silent'
  status: number
  /** Of a refusal. */
  code: string | null
  /** Pieces that arrived. */
  pieces: number
  headers: Record<string, string | string[] | undefined>
  endedMs: number
}

/** No script is silent for so long, nor is a kill. */
const silenceMs = 30_000

/** Clients of one server. */
export class Clients {
  readonly #agent = new Agent({ connections: null, pipelining: 1, headersTimeout: silenceMs, bodyTimeout: silenceMs })
  readonly #truth: Truth

  constructor(truth: Truth) {
    this.#truth = truth
  }

  close = (): Promise<void> => this.#agent.destroy()

  /** Never throws for what happens to the connection: then the reply was `cut`. */
  async ask(url: string, key: string, plan: Plan): Promise<Seen> {
    const seen: Seen = { outcome: 'cut', status: 0, code: null, pieces: 0, headers: {}, endedMs: 0 }
    const leaving = new AbortController()
    const { tag, stream, script, leavesAfter, maxTokens } = plan
    const ended = { isOver: false }
    if (leavesAfter === 0)
      void this.#truth.arrived(tag).then(() => {
        if (!ended.isOver) leaving.abort()
      })
    try {
      const reply = await request(`${url}/v1/chat/completions`, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: leaving.signal,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'truth',
          user: tag,
          ...(stream && { stream }),
          ...(maxTokens !== undefined && { max_tokens: maxTokens }),
          messages: [{ role: 'user', content: JSON.stringify(script) }],
        }),
      })
      seen.status = reply.statusCode
      seen.headers = reply.headers
      let text = ''
      for await (const bytes of reply.body) {
        text += bytes
        seen.pieces = stream ? text.split(written).length - 1 : 0
        this.#truth.has(tag, seen.pieces)
        if (leavesAfter !== undefined && leavesAfter > 0 && seen.pieces >= leavesAfter) leaving.abort()
      }
      Object.assign(seen, ending(seen.status, text, stream))
    } catch (error) {
      if (leaving.signal.aborted) seen.outcome = 'left'
      else if (!(error instanceof Error && 'code' in error)) throw error
      else if (/TIMEOUT$/.test(String(error.code))) seen.outcome = 'silent'
    } finally {
      ended.isOver = true
      seen.endedMs = performance.now()
      this.#truth.over(tag)
    }
    return seen
  }
}

const written = `{"content":"${piece}"}`

function ending(status: number, text: string, stream: boolean): Partial<Seen> {
  if (status !== 200) return { outcome: 'refused', code: codeOf(text) }
  if (!stream || text.endsWith('data: [DONE]\n\n')) return { outcome: 'whole' }
  return text.includes('data: {"error"') ? { outcome: 'broken' } : { outcome: 'cut' }
}

function codeOf(text: string): string | null {
  const { error } = JSON.parse(text) as { error: { code: string | null } }
  return error.code
}
