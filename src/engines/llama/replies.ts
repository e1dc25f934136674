import { Choice, type ChoiceSettings, type Prompt } from './choice.ts'
import { Conversing } from './conversing.ts'
import type { Model } from './model.ts'
import { Outbox, type Send } from './outbox.ts'
import type { ChatMessage, CompleteMessage, EncodeMessage, Event, Generation, LoadMessage } from './protocol.ts'
import { Refused, refusalOf } from './refusal.ts'
import { Scheduler } from './scheduler.ts'
import type { PromptPiece } from './templates.ts'

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
  #conversing: Conversing | undefined

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

  async take(request: ChatMessage | CompleteMessage | EncodeMessage): Promise<void> {
    const { id } = request
    if (request.type === 'encode') {
      this.#send({ type: 'refused', id, refusal: { kind: 'failure', message: 'The model does not encode texts' } })
      return
    }
    const { n } = request
    this.#open.set(id, Number.POSITIVE_INFINITY)
    try {
      this.#checkBias(request)
      const chat = request.type === 'chat' ? this.#chat(request) : undefined
      const prompts = chat === undefined ? await this.#prompts(request as CompleteMessage) : [chat.prompt]
      // It may have been cancelled meanwhile.
      if (!this.#open.has(id)) return
      this.#check(request, prompts)
      this.#open.set(id, prompts.length * n)
      for (const [p, prompt] of prompts.entries())
        for (let i = 0; i < n; i++)
          this.#start(request, { ...chat?.settings(), prompt, choice: p * n + i, seed: (request.seed + i) >>> 0 })
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

  #chat(request: ChatMessage): Chat {
    const { template } = this.#settings
    if (template === null) throw new Refused({ kind: 'failure', message: 'The model has no chat template' })
    if (this.#conversing === undefined) {
      this.#conversing = new Conversing(template, spelling => this.#model.isEnd(spelling))
      this.#model.reveal(this.#conversing.dialect.visible, template.controlSpellings)
    }
    const prepared = this.#conversing.prepare(request)
    const { opening, makeParser } = prepared
    const tokens = this.#tokens(prepared.pieces)
    const text = prepared.grammar()
    const grammar = text === undefined ? undefined : this.#model.grammar(text)
    return {
      prompt: { tokens },
      settings: () => ({ parser: makeParser(), opening, ...(grammar && { grammar }) }),
    }
  }

  /** With pauses, since tokenising holds up the replies that are running. */
  async #prompts({ id, prompts, suffix }: CompleteMessage): Promise<Prompt[]> {
    const ready: Prompt[] = []
    let pauseAt = performance.now() + pauseAfterMs
    for (const prompt of prompts) {
      ready.push(suffix === undefined ? this.#prompt(prompt) : this.#gap(prompt, suffix))
      if (performance.now() < pauseAt) continue
      await new Promise(resolve => setImmediate(resolve))
      if (!this.#open.has(id)) break
      pauseAt = performance.now() + pauseAfterMs
    }
    return ready
  }

  /** The prompt and the suffix around the gap that is to be filled. */
  #gap(prompt: string | readonly number[], suffix: string): Prompt {
    const { infill } = this.#model
    if (infill === undefined)
      throw new Refused({
        kind: 'parameter',
        parameter: 'suffix',
        message: 'This model was not made to fill in the middle: it has no tokens that mark a prefix and a suffix.',
      })
    const before = prompt === '' ? [] : this.#prompt(prompt).tokens
    return { tokens: infill(before, this.#tokens([{ text: suffix, control: true }])) }
  }

  #prompt(prompt: string | readonly number[]): Prompt {
    if (typeof prompt !== 'string') {
      const wrong = prompt.find(token => token >= this.#settings.vocabularySize)
      if (wrong !== undefined)
        throw new Refused({
          kind: 'prompt',
          message: `The token ${wrong} is not in the vocabulary of this model, which ends at ${this.#settings.vocabularySize - 1}.`,
        })
      return { tokens: prompt }
    }
    // A raw prompt is raw: control tokens may be spelt in it, as with OpenAI's <|endoftext|>.
    const tokens = this.#tokens([{ text: prompt, control: true }])
    if (tokens.length > 0) return { tokens, text: prompt }
    if (this.#model.start === undefined)
      throw new Refused({ kind: 'prompt', message: 'This model cannot start from an empty prompt.' })
    return { tokens: [this.#model.start], text: '' }
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

  #checkBias({ bias = [] }: Generation): void {
    const { vocabularySize } = this.#settings
    const wrong = bias.find(([token]) => token >= vocabularySize)
    if (wrong !== undefined)
      throw new Refused({
        kind: 'parameter',
        parameter: 'logit_bias',
        message: `The token ${wrong[0]} is not in the vocabulary of this model, which ends at ${vocabularySize - 1}.`,
      })
  }

  #check({ maxTokens }: Generation, prompts: readonly Prompt[]): void {
    for (const { tokens } of prompts) {
      const prompt = tokens.length
      if (prompt === 0) throw new Refused({ kind: 'prompt', message: 'The prompt holds no tokens.' })
      // Without a limit of its own a chat needs room for one token.
      if (prompt + (maxTokens ?? 1) > this.#settings.context)
        throw new Refused({ kind: 'context', prompt, ...(maxTokens === undefined ? {} : { completion: maxTokens }) })
    }
  }

  #start(
    request: ChatMessage | CompleteMessage,
    given: Pick<ChoiceSettings, 'prompt' | 'choice' | 'seed' | 'parser' | 'opening' | 'grammar'>,
  ): void {
    const settings: ChoiceSettings = {
      ...given,
      request,
      maxTokens: Math.min(
        request.maxTokens ?? this.#settings.context - given.prompt.tokens.length,
        request.outputMax ?? Number.POSITIVE_INFINITY,
      ),
      echo: request.type === 'complete' && request.echo === true,
      competes: request.type === 'complete' && request.best !== undefined,
    }
    const task = new Choice(this.#model, settings, event => this.#tell(event))
    if (task.idle) task.endIdle()
    else this.#scheduler.submit(task)
  }

  #tell(event: Event): void {
    this.#outbox.add(event)
    if (event.kind === 'failure') this.#outbox.flush()
    if (event.kind === 'failure' || event.kind === 'end') this.#closed(event.id)
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

interface Chat {
  readonly prompt: Prompt
  /** What each choice of it needs for itself. */
  settings(): Pick<ChoiceSettings, 'parser' | 'opening' | 'grammar'>
}
