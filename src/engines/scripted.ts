import { type Fault, fault } from '../lib/faults.ts'
import { type ChatChunk, type ChatRequest, textOf } from '../wire/chat.ts'
import type { CompletionUsage } from '../wire/common.ts'
import type { CompletionChunk, CompletionRequest } from '../wire/completions.ts'
import type { EmbeddingList, EmbeddingRequest } from '../wire/embeddings.ts'
import type { Ability, Call, Engine } from './engine.ts'
import { Stops } from './stops.ts'

export interface ScriptedOptions {
  readonly name?: string
  /** What it answers; a function sees the text of the last message or the prompt. Its words are its tokens. */
  readonly reply?: string | ((prompt: string) => string)
  readonly abilities?: readonly Ability[]
  /** Tokens of prompt and reply together. */
  readonly context?: number
  /** Waited before each token; must end early when the signal aborts. A test injects what it can control. */
  readonly wait?: (signal: AbortSignal) => Promise<void>
  /** Thrown when so many tokens were sent; 0 is before the first chunk. */
  readonly fails?: { readonly after: number; readonly fault: Fault }
  /** The vector of every input. */
  readonly vector?: readonly number[]
}

/** An engine for tests: it answers what it was told to, at once or when the test says so, and breaks on demand. */
export function scriptedEngine(options: ScriptedOptions = {}): Engine {
  return new Scripted(options)
}

class Scripted implements Engine {
  readonly name: string
  readonly abilities: ReadonlySet<Ability>
  readonly accepts = 'known'
  readonly #options: ScriptedOptions
  #closed = false

  constructor(options: ScriptedOptions) {
    this.name = options.name ?? 'scripted'
    this.abilities = new Set(options.abilities ?? ['chat', 'complete', 'embed'])
    this.#options = options
  }

  async *chat(request: ChatRequest, call: Call): AsyncIterable<ChatChunk> {
    const envelope = { id: call.id, created: call.created, model: this.name, object: 'chat.completion.chunk' as const }
    const prompt = request.messages.map(message => textOf(message.content ?? '') ?? '')
    const { steps, usage } = this.#plan([prompt.join(' ')], request, call, {
      subject: 'messages',
      last: prompt.at(-1) ?? '',
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    })
    const begun = new Set<number>()
    for await (const { index, text, finish } of steps) {
      const chunk = (delta: ChatChunk['choices'][number]['delta'], reason: Finish): ChatChunk => ({
        ...envelope,
        choices: [{ index, delta, logprobs: null, finish_reason: reason }],
      })
      if (!begun.has(index)) yield chunk({ role: 'assistant', content: '', refusal: null }, null)
      begun.add(index)
      if (text !== '') yield chunk({ content: text }, null)
      if (finish !== null) yield chunk({}, finish)
    }
    if (!call.signal.aborted) yield { ...envelope, choices: [], usage: usage() }
  }

  async *complete(request: CompletionRequest, call: Call): AsyncIterable<CompletionChunk> {
    const envelope = { id: call.id, created: call.created, model: this.name, object: 'text_completion' as const }
    const prompts = promptTexts(request.prompt)
    const { steps, usage } = this.#plan(prompts, request, call, {
      subject: 'prompt',
      last: prompts.at(-1) ?? '',
      maxTokens: request.max_tokens ?? 16,
    })
    for await (const { index, text, finish } of steps)
      if (text !== '' || finish !== null)
        yield { ...envelope, choices: [{ text, index, logprobs: null, finish_reason: finish }] }
    if (!call.signal.aborted) yield { ...envelope, choices: [], usage: usage() }
  }

  async embed(request: EmbeddingRequest, call: Call): Promise<EmbeddingList> {
    if (this.#options.fails) throw this.#options.fails.fault
    await this.#options.wait?.(call.signal)
    const inputs = promptTexts(request.input)
    const tokens = inputs.reduce((sum, input) => sum + wordsOf(input).length, 0)
    call.meter.input(tokens)
    const embedding = [...(this.#options.vector ?? [1, 0, 0])]
    return {
      object: 'list',
      data: inputs.map((_, index) => ({ object: 'embedding', index, embedding })),
      model: this.name,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    }
  }

  status() {
    return { state: this.#closed ? 'closed' : 'ready' } as const
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #plan(prompts: readonly string[], request: ChatRequest | CompletionRequest, call: Call, details: Details) {
    const n = request.n ?? 1
    const promptTokens = prompts.reduce((sum, prompt) => sum + wordsOf(prompt).length, 0)
    const { context = Number.POSITIVE_INFINITY } = this.#options
    if (promptTokens + (details.maxTokens ?? 1) > context)
      throw fault.contextLengthExceeded({
        limit: context,
        prompt: promptTokens,
        subject: details.subject,
        ...(details.maxTokens === undefined ? {} : { completion: details.maxTokens }),
      })
    const spent = { tokens: 0 }
    const usage = (): CompletionUsage => ({
      prompt_tokens: promptTokens,
      completion_tokens: spent.tokens,
      total_tokens: promptTokens + spent.tokens,
      prompt_tokens_details: { cached_tokens: 0 },
    })
    const { reply = 'This is a test!' } = this.#options
    const text = typeof reply === 'string' ? reply : reply(details.last)
    const stop = typeof request.stop === 'string' ? [request.stop] : (request.stop ?? [])
    const choices = Array.from({ length: prompts.length * n }, (_, index) =>
      choice(
        index,
        text,
        stop,
        Math.min(details.maxTokens ?? Number.POSITIVE_INFINITY, call.outputMax ?? Number.POSITIVE_INFINITY),
      ),
    )
    call.meter.input(promptTokens)
    return { steps: this.#steps(choices, call, spent), usage }
  }

  /** One token of each choice in turn. */
  async *#steps(choices: Choice[], call: Call, spent: { tokens: number }): AsyncGenerator<Step> {
    const { wait, fails } = this.#options
    let open = choices
    while (open.length > 0) {
      for (const choice of open) {
        if (fails && spent.tokens >= fails.after) throw fails.fault
        await wait?.(call.signal)
        if (call.signal.aborted) return
        const step = choice.next()
        spent.tokens += step.tokens
        call.meter.output(spent.tokens)
        yield step
        if (step.finish !== null) open = open.filter(other => other !== choice)
      }
    }
  }
}

type Finish = 'stop' | 'length' | null

interface Details {
  subject: 'messages' | 'prompt'
  last: string
  maxTokens: number | undefined
}

interface Step {
  readonly index: number
  readonly text: string
  readonly tokens: 0 | 1
  readonly finish: Finish
}

interface Choice {
  next(): Step
}

function choice(index: number, reply: string, stop: readonly string[], maxTokens = Number.POSITIVE_INFINITY): Choice {
  const words = wordsOf(reply)
  const stops = new Stops(stop)
  let count = 0
  return {
    next() {
      const word = words[count]
      if (word === undefined || count >= maxTokens)
        return { index, text: stops.held(), tokens: 0, finish: word === undefined ? 'stop' : 'length' }
      count++
      const { text, stopped } = stops.push(word)
      return { index, text, tokens: 1, finish: stopped ? 'stop' : null }
    },
  }
}

/** Words with the space before them: the tokens of this engine. */
const wordsOf = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? []

/** Token ids stand for a word each. */
function promptTexts(prompt: CompletionRequest['prompt'] | EmbeddingRequest['input']): string[] {
  if (prompt === undefined || prompt === null) return ['']
  if (typeof prompt === 'string') return [prompt]
  const ids = prompt.filter(item => typeof item === 'number')
  if (ids.length > 0) return [ids.join(' ')]
  return prompt.filter(item => typeof item !== 'number').map(item => (typeof item === 'string' ? item : item.join(' ')))
}
