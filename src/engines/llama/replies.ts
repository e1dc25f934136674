import type { Model } from './model.ts'
import type { ChatMessage, CompleteMessage, Event, FromChild, Generation, LoadMessage, Refusal } from './protocol.ts'
import { Scheduler, type Task } from './scheduler.ts'
import { ChatTemplate, MessagesRefused, type PromptPiece, TemplateFailed } from './templates.ts'
import { ReplyText } from './text.ts'

type Send = (message: FromChild, sent?: () => void) => void

const pauseAfterMs = 5

/** Turns requests into tasks of the scheduler, and their tokens into events. */
export class Replies {
  readonly #model: Model
  readonly #settings: LoadMessage
  readonly #send: Send
  readonly #scheduler: Scheduler
  readonly #outbox: Outbox
  /** Choices still to end, by request. */
  readonly #open = new Map<number, number>()
  #template: ChatTemplate | undefined

  constructor(model: Model, settings: LoadMessage, send: Send) {
    this.#model = model
    this.#settings = settings
    this.#send = send
    this.#outbox = new Outbox(send)
    this.#scheduler = new Scheduler(model.context, {
      slots: settings.slots,
      batch: settings.batch,
      cycled: () => this.#outbox.flush(),
    })
  }

  async take(request: ChatMessage | CompleteMessage): Promise<void> {
    const { id, n } = request
    this.#open.set(id, Number.POSITIVE_INFINITY)
    try {
      const prompts = request.type === 'chat' ? [this.#chatPrompt(request)] : await this.#prompts(request)
      // It may have been cancelled meanwhile.
      if (!this.#open.has(id)) return
      this.#check(request, prompts)
      this.#open.set(id, prompts.length * n)
      for (const [p, prompt] of prompts.entries())
        for (let i = 0; i < n; i++) this.#start(request, prompt, { choice: p * n + i, seed: (request.seed + i) >>> 0 })
      this.#outbox.flush()
    } catch (error) {
      this.#open.delete(id)
      this.#send({ type: 'refused', id, refusal: refusalOf(error) })
    }
  }

  cancel(id: number): void {
    this.#open.delete(id)
    this.#scheduler.cancel(id)
    this.#outbox.drop(id)
  }

  pause(id: number): void {
    if (this.#open.has(id)) this.#scheduler.pause(id)
  }

  resume(id: number): void {
    this.#scheduler.resume(id)
  }

  #chatPrompt({ messages }: ChatMessage): number[] {
    const { template } = this.#settings
    if (template === null) throw new Refused({ kind: 'failure', message: 'The model has no chat template' })
    this.#template ??= new ChatTemplate(template)
    return this.#tokens(this.#template.render(messages))
  }

  /** With pauses, since tokenising holds up the replies that are running. */
  async #prompts({ id, prompts }: CompleteMessage): Promise<number[][]> {
    const tokens: number[][] = []
    let pauseAt = performance.now() + pauseAfterMs
    for (const prompt of prompts) {
      tokens.push(this.#prompt(prompt))
      if (performance.now() < pauseAt) continue
      await new Promise(resolve => setImmediate(resolve))
      if (!this.#open.has(id)) break
      pauseAt = performance.now() + pauseAfterMs
    }
    return tokens
  }

  #prompt(prompt: string | readonly number[]): number[] {
    if (typeof prompt !== 'string') {
      const wrong = prompt.find(token => token >= this.#settings.vocabularySize)
      if (wrong !== undefined)
        throw new Refused({
          kind: 'prompt',
          message: `The token ${wrong} is not in the vocabulary of this model, which ends at ${this.#settings.vocabularySize - 1}.`,
        })
      return [...prompt]
    }
    // A raw prompt is raw: control tokens may be spelt in it, as with OpenAI's <|endoftext|>.
    const tokens = this.#tokens([{ text: prompt, control: true }])
    if (tokens.length > 0) return tokens
    if (this.#model.start === undefined)
      throw new Refused({ kind: 'prompt', message: 'This model cannot start from an empty prompt.' })
    return [this.#model.start]
  }

  /** A text that must be too long is not tokenised: that would stop all other replies for seconds. The count is then the least possible. */
  #tokens(pieces: readonly PromptPiece[]): number[] {
    const { tokenBytesMax, context } = this.#settings
    if (tokenBytesMax > 0) {
      const least = Math.ceil(pieces.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / tokenBytesMax)
      if (least > context) throw new Refused({ kind: 'context', prompt: least })
    }
    return this.#model.tokens(pieces)
  }

  #check({ maxTokens }: Generation, prompts: readonly (readonly number[])[]): void {
    for (const { length: prompt } of prompts) {
      if (prompt === 0) throw new Refused({ kind: 'prompt', message: 'The prompt holds no tokens.' })
      // Without a limit of its own a chat needs room for one token.
      if (prompt + (maxTokens ?? 1) > this.#settings.context)
        throw new Refused({ kind: 'context', prompt, ...(maxTokens === undefined ? {} : { completion: maxTokens }) })
    }
  }

  #start(request: Generation, prompt: readonly number[], { choice, seed }: { choice: number; seed: number }): void {
    const { id, temperature, topP } = request
    const maxTokens = request.maxTokens ?? this.#settings.context - prompt.length
    const reply = new ReplyText(tokens => this.#model.text(tokens), prompt.slice(-4), request.stop)
    const end = (text: string, tokens: number, reason: 'stop' | 'length') => {
      this.#outbox.add({ kind: 'end', id, choice, text, tokens, reason })
      this.#closed(id)
      return false
    }
    if (maxTokens === 0) {
      this.#outbox.add({ kind: 'begun', id, choice, promptTokens: prompt.length, cachedTokens: 0 })
      end('', 0, 'length')
      return
    }
    let tokens = 0
    const task: Task = {
      request: id,
      prompt,
      makeSampler: () => this.#model.sampler({ temperature, topP, seed }),
      begun: cachedTokens => this.#outbox.add({ kind: 'begun', id, choice, promptTokens: prompt.length, cachedTokens }),
      token: token => {
        if (this.#model.ends(token)) return end(reply.end(), tokens, 'stop')
        tokens++
        const { text, stopped } = reply.push(token)
        if (stopped) return end(text, tokens, 'stop')
        if (tokens >= maxTokens) return end(text + reply.end(), tokens, 'length')
        this.#outbox.add({ kind: 'text', id, choice, text, tokens })
        return true
      },
      failed: reason => {
        this.#outbox.add({
          kind: 'failure',
          id,
          choice,
          message: reason instanceof Error ? reason.message : 'unknown error',
        })
        this.#outbox.flush()
        this.#closed(id)
      },
    }
    this.#scheduler.submit(task)
  }

  #closed(id: number): void {
    const open = (this.#open.get(id) ?? 1) - 1
    if (open > 0) this.#open.set(id, open)
    else {
      this.#open.delete(id)
      this.#scheduler.forget(id)
    }
  }
}

/** Gathers the events of a step into one message. While one is on its way the next ones wait and become one, so nothing piles up in the channel. */
class Outbox {
  readonly #send: Send
  #events: Event[] = []
  #sending = false

  constructor(send: Send) {
    this.#send = send
  }

  /** Texts of one choice that would travel together become one. */
  add(event: Event): void {
    const last = this.#events.findLastIndex(({ id, choice }) => id === event.id && choice === event.choice)
    const before = this.#events[last]
    if (before?.kind === 'text' && (event.kind === 'text' || event.kind === 'end'))
      this.#events[last] = { ...event, text: before.text + event.text }
    else this.#events.push(event)
  }

  drop(request: number): void {
    this.#events = this.#events.filter(({ id }) => id !== request)
  }

  flush(): void {
    if (this.#sending || this.#events.length === 0) return
    this.#sending = true
    const events = this.#events
    this.#events = []
    this.#send({ type: 'cycle', events }, () => {
      this.#sending = false
      this.flush()
    })
  }
}

class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.kind)
    this.refusal = refusal
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal
  const message = error instanceof Error ? error.message : 'unknown error'
  if (error instanceof MessagesRefused) return { kind: 'messages', message }
  return { kind: error instanceof TemplateFailed ? 'template' : 'failure', message }
}
