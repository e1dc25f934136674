import type { Model } from './model.ts'
import { Outbox, type Send } from './outbox.ts'
import type {
  ChatMessage,
  CompleteMessage,
  EncodeInput,
  EncodeMessage,
  EncodingSettings,
  LoadMessage,
} from './protocol.ts'
import { Refused, refusalOf } from './refusal.ts'
import type { PromptPiece } from './templates.ts'

const pauseAfterMs = 5

/** What is left of a request. */
interface Work {
  readonly inputs: readonly (readonly number[])[]
  next: number
}

/**
 * Turns texts into vectors, and pairs of texts into scores. The addon gives the vector of one sequence alone, so texts are decoded one
 * after another; requests take turns, so that one of two thousand texts does not hold up one of a single text.
 */
export class Vectors {
  readonly #model: Model
  readonly #settings: LoadMessage
  readonly #encoding: EncodingSettings
  readonly #send: Send
  readonly #outbox: Outbox
  /** null while the texts are being tokenised. In the order of their turns. */
  readonly #open = new Map<number, Work | null>()
  readonly #paused = new Set<number>()
  #running = false

  constructor(model: Model, settings: LoadMessage, send: Send) {
    if (settings.encoding === undefined) throw new Error('The model does not encode texts')
    this.#model = model
    this.#settings = settings
    this.#encoding = settings.encoding
    this.#send = send
    this.#outbox = new Outbox(send)
  }

  async take(request: EncodeMessage | ChatMessage | CompleteMessage): Promise<void> {
    const { id } = request
    try {
      if (request.type !== 'encode')
        throw new Refused({ kind: 'failure', message: 'The model does not generate texts' })
      this.#open.set(id, null)
      const inputs = await this.#tokenised(request)
      // It may have been cancelled meanwhile.
      if (!this.#open.has(id)) return
      this.#open.set(id, { inputs, next: 0 })
      void this.#run()
    } catch (error) {
      this.#open.delete(id)
      this.#send({ type: 'refused', id, refusal: refusalOf(error) })
    }
  }

  cancel(id: number): void {
    this.#open.delete(id)
    this.#paused.delete(id)
    this.#outbox.drop(id)
  }

  pause(id: number): void {
    if (this.#open.has(id)) this.#paused.add(id)
  }

  resume(id: number): void {
    this.#paused.delete(id)
    void this.#run()
  }

  /** Each is checked before the first is decoded. */
  async #tokenised({ id, inputs }: EncodeMessage): Promise<number[][]> {
    const ready: number[][] = []
    let pauseAt = performance.now() + pauseAfterMs
    for (const input of inputs) {
      const tokens = this.#tokens(input)
      if (tokens.length > this.#settings.context) throw new Refused({ kind: 'context', prompt: tokens.length })
      if (tokens.length === 0) throw new Refused({ kind: 'prompt', message: 'The input holds no tokens.' })
      ready.push(tokens)
      if (performance.now() < pauseAt) continue
      await new Promise(resolve => setImmediate(resolve))
      if (!this.#open.has(id)) break
      pauseAt = performance.now() + pauseAfterMs
    }
    return ready
  }

  #tokens(input: EncodeInput): number[] {
    if (typeof input === 'string') return this.#framed(this.#spelt(input))
    return 'query' in input ? this.#pair(input) : this.#framed(this.#checked(input))
  }

  /** The marks that this tokenizer puts around a text, unless they are there already. */
  #framed(tokens: readonly number[]): number[] {
    const { first, last } = this.#marks()
    return [
      ...(first === undefined || tokens[0] === first ? [] : [first]),
      ...tokens,
      ...(last === undefined || tokens.at(-1) === last ? [] : [last]),
    ]
  }

  /** As cross-encoders are trained: BERT's [CLS] query [SEP] document [SEP], RoBERTa's with two marks in the middle. */
  #pair({ query, document }: { query: string; document: string }): number[] {
    const { pairTemplate } = this.#encoding
    if (pairTemplate !== null) return this.#framed(this.#filled(pairTemplate, { query, document }))
    const { first, last, middle } = this.#marks()
    return [first, ...this.#spelt(query), last, middle, ...this.#spelt(document), last].filter(
      token => token !== undefined,
    )
  }

  #filled(template: string, texts: { query: string; document: string }): number[] {
    const pieces = template.split(/(\{query\}|\{document\})/).map((text): PromptPiece => {
      if (text === '{query}') return { text: texts.query, control: false }
      return text === '{document}' ? { text: texts.document, control: false } : { text, control: true }
    })
    return pieces.flatMap(({ text, control }) => [...this.#model.native.tokenize(text, control)])
  }

  #marks(): { first: number | undefined; last: number | undefined; middle?: number | undefined } {
    const { marks } = this.#encoding
    if (marks !== null) return marks
    const { native } = this.#model
    const valid = (token: number) => (token >= 0 ? token : undefined)
    return {
      first: native.shouldPrependBosToken() ? valid(native.tokenBos()) : undefined,
      last: native.shouldAppendEosToken() ? valid(native.tokenEos()) : undefined,
      middle: valid(native.sepToken()),
    }
  }

  /** @throws Refused for a text that must be too long: its tokens are not counted, and the number is the least possible */
  #spelt(text: string): number[] {
    const { tokenBytesMax, context } = this.#settings
    const least = tokenBytesMax > 0 ? Math.ceil(Buffer.byteLength(text) / tokenBytesMax) : 0
    if (least > context) throw new Refused({ kind: 'context', prompt: least })
    return [...this.#model.native.tokenize(text, false)]
  }

  #checked(tokens: readonly number[]): readonly number[] {
    const { vocabularySize } = this.#settings
    const wrong = tokens.find(token => token >= vocabularySize)
    if (wrong === undefined) return tokens
    throw new Refused({
      kind: 'prompt',
      message: `The token ${wrong} is not in the vocabulary of this model, which ends at ${vocabularySize - 1}.`,
    })
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      for (let turn = this.#next(); turn !== undefined; turn = this.#next()) await this.#step(...turn)
    } finally {
      this.#running = false
    }
  }

  /** The request whose turn it is goes to the end of the line. */
  #next(): [id: number, work: Work] | undefined {
    for (const [id, work] of this.#open) {
      if (work === null || this.#paused.has(id)) continue
      this.#open.delete(id)
      this.#open.set(id, work)
      return [id, work]
    }
    return undefined
  }

  async #step(id: number, work: Work): Promise<void> {
    const choice = work.next++
    const tokens = work.inputs[choice] ?? []
    try {
      const vector = await this.#vector(Uint32Array.from(tokens))
      if (!this.#open.has(id)) return
      if (work.next === work.inputs.length) this.#open.delete(id)
      this.#outbox.add({ kind: 'vector', id, choice, tokens: tokens.length, vector })
    } catch (error) {
      if (!this.#open.delete(id)) return
      this.#outbox.add({
        kind: 'failure',
        id,
        choice,
        message: error instanceof Error ? error.message : 'unknown error',
      })
    }
    this.#outbox.flush()
  }

  async #vector(tokens: Uint32Array): Promise<string> {
    const { context } = this.#model
    context.disposeSequence(0)
    const step = this.#encoding.causal ? this.#settings.batch : tokens.length
    for (let at = 0; at < tokens.length; at += step) {
      const part = tokens.subarray(at, at + step)
      context.initBatch(part.length)
      context.addToBatch(0, at, Uint32Array.from(part), Uint32Array.from(part.keys()))
      await context.decodeBatch()
    }
    const vector = Float32Array.from(context.getEmbedding(tokens.length))
    if (!vector.every(Number.isFinite)) throw new Error('The model gave a vector that holds no numbers')
    return Buffer.from(vector.buffer).toString('base64')
  }
}
