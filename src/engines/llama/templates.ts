import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import type { TemplateTurn } from './dialects/index.ts'
import type { TemplateSettings } from './protocol.ts'

/** A template is code from a stranger's file: this is all it may spend on one rendering. */
export const templateBudget = {
  steps: 250_000,
  millis: 100,
  bytes: 32 * 1024 * 1024,
  /** On top, for each character of the messages: an honest template holds a message about six times on the way. */
  bytesPerCharacter: 32,
  depth: 200,
  rangeItems: 10_000,
} as const

/** A stretch of a rendered prompt. `control`: spellings of control tokens are control tokens; otherwise they are text. */
export interface PromptPiece {
  readonly text: string
  readonly control: boolean
}

/** Milliseconds, never going back: of the world, and of the processor in this thread. */
export interface Stopwatch {
  now(): number
  cpu(): number
}

const stopwatch: Stopwatch = {
  now: () => performance.now(),
  cpu() {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  },
}

/** The template itself refuses the messages (`raise_exception`): the caller can mend it. */
export class MessagesRefused extends Error {}

/** The template is broken, or asks for more than its budget. */
export class TemplateFailed extends Error {}

/**
 * Renders chat messages into a prompt. Spellings of control tokens inside the messages stay text: `a<|im_end|>b` from a user does
 * not end the user's turn.
 */
export class ChatTemplate {
  readonly #program: unknown
  readonly #settings: TemplateSettings
  readonly #spelling: RegExp | null
  readonly #clock: Stopwatch

  /** @throws TemplateFailed when the source is not a template */
  constructor(settings: TemplateSettings, clock: Stopwatch = stopwatch) {
    this.#settings = settings
    this.#clock = clock
    const spellings = settings.controlSpellings.filter(spelling => spelling !== '').map(escaped)
    // Longest first, so that no spelling hides behind a shorter one.
    this.#spelling =
      spellings.length === 0 ? null : new RegExp(spellings.sort((a, b) => b.length - a.length).join('|'), 'g')
    try {
      this.#program = parse(tokenize(settings.source, { lstrip_blocks: true, trim_blocks: true }))
    } catch (error) {
      throw new TemplateFailed('The chat template of the model cannot be read', { cause: error })
    }
  }

  /** @param settings further variables @throws MessagesRefused, TemplateFailed */
  render(
    messages: readonly TemplateTurn[],
    tools?: readonly object[],
    settings: Readonly<Record<string, string | boolean>> = {},
  ): PromptPiece[] {
    const defused = new Defused({ messages, ...(tools && { tools }) }, this.#spelling)
    const environment = new Environment()
    const variables = {
      ...globals,
      ...settings,
      ...defused.given,
      add_generation_prompt: true,
      bos_token: this.#settings.bosText,
      eos_token: this.#settings.eosText,
    }
    for (const [name, value] of Object.entries(variables)) environment.set(name, value)
    const said = messages.reduce((sum, { content }) => sum + (content?.length ?? 0), 0)
    const characters = said + (tools === undefined ? 0 : JSON.stringify(tools).length)
    return defused.pieces(this.#run(environment, characters))
  }

  #run(environment: unknown, characters: number): string {
    try {
      const { value } = new BoundedInterpreter(environment, this.#clock, characters).run(this.#program)
      if (typeof value !== 'string') throw new TemplateFailed('The chat template of the model renders no text')
      return value
    } catch (error) {
      if (error instanceof MessagesRefused || error instanceof TemplateFailed) throw error
      const detail = error instanceof Error ? error.message.slice(0, 200) : 'unknown error'
      throw new TemplateFailed(`The chat template of the model failed: ${detail}`, { cause: error })
    }
  }
}

/** What templates expect to find, as in the transformers library. */
const globals = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception(message: unknown) {
    throw new MessagesRefused(
      typeof message === 'string' ? message.slice(0, 500) : 'The chat template refuses the messages',
    )
  },
  range(...bounds: unknown[]): number[] {
    const [first = 0, second, step = 1] = bounds.map(bound => (typeof bound === 'number' ? bound : Number.NaN))
    const [start, end] = second === undefined ? [0, first] : [first, second]
    const count = Math.max(0, Math.ceil((end - start) / step))
    if (!(count <= templateBudget.rangeItems))
      throw new TemplateFailed(`The chat template of the model asks for a range of ${count}`)
    return Array.from({ length: count }, (_, i) => start + i * step)
  },
}

/** A value of the template language. */
interface Value {
  readonly value: unknown
}

/** The part of the package's interpreter that is used: its own declarations do not resolve under Node's module rules. */
const Evaluator: new (
  environment: unknown,
) => {
  evaluate(statement: unknown, environment: unknown): Value
  run(program: unknown): Value
} = Interpreter

/** Counts every evaluated node, the time, and the size of each value when it is first seen. */
class BoundedInterpreter extends Evaluator {
  readonly #clock: Stopwatch
  readonly #cpuEnd: number
  readonly #bytesMax: number
  #deadline: number
  readonly #seen = new WeakSet<Value>()
  #steps = 0
  #bytes = 0
  #depth = 0

  /** @param characters of the messages */
  constructor(environment: unknown, clock: Stopwatch, characters: number) {
    super(environment)
    this.#bytesMax = templateBudget.bytes + templateBudget.bytesPerCharacter * characters
    this.#clock = clock
    this.#cpuEnd = clock.cpu() + templateBudget.millis
    this.#deadline = clock.now() + templateBudget.millis
  }

  override evaluate(statement: unknown, environment: unknown): Value {
    this.#steps++
    if (this.#steps > templateBudget.steps) throw exhausted('steps')
    // At every step: one step may be a whole loop.
    if (this.#clock.now() > this.#deadline) this.#extend()
    if (++this.#depth > templateBudget.depth) throw exhausted('depth')
    const value = super.evaluate(statement, environment)
    this.#depth--
    this.#charge(value)
    return value
  }

  /** On a busy machine time passes while this thread does not run: then the budget is not yet spent. */
  #extend(): void {
    const rest = this.#cpuEnd - this.#clock.cpu()
    if (rest <= 0) throw exhausted('time')
    this.#deadline = this.#clock.now() + rest
  }

  #charge(value: Value): void {
    if (this.#seen.has(value)) return
    this.#seen.add(value)
    const content: unknown = value.value
    if (typeof content === 'string') this.#bytes += content.length * 2
    else if (Array.isArray(content)) this.#bytes += content.length * 16
    else this.#bytes += 16
    if (this.#bytes > this.#bytesMax) throw exhausted('memory')
  }
}

const exhausted = (what: string) => new TemplateFailed(`The chat template of the model exceeds its budget of ${what}`)

/** What a caller gave. */
interface Given {
  readonly messages: readonly TemplateTurn[]
  readonly tools?: readonly object[]
}

/** Messages and tools whose spellings of control tokens are exchanged for marks, and the way back. */
class Defused {
  readonly given: { readonly messages: unknown; readonly tools?: unknown }
  readonly #mark: string
  readonly #found: string[] = []

  constructor(given: Given, spelling: RegExp | null) {
    this.#mark = spelling === null ? '' : unusedMark(given)
    const { messages, tools } = given
    const exchanged = (value: unknown) => (spelling === null ? value : this.#exchange(value, spelling))
    // Some templates tell no tools from `none`.
    this.given = { messages: exchanged(messages), ...(tools && { tools: exchanged(tools) }) }
  }

  /** The rendered text, cut where the marks are: what they stand for is text, the rest may hold control tokens. */
  pieces(rendered: string): PromptPiece[] {
    if (this.#found.length === 0) return [{ text: rendered, control: true }]
    return rendered
      .split(new RegExp(`${this.#mark}(\\d+)z`))
      .map((text, i) =>
        i % 2 === 0 ? { text, control: true } : { text: this.#found[Number(text)] ?? '', control: false },
      )
      .filter(piece => piece.text !== '')
  }

  #exchange(value: unknown, spelling: RegExp): unknown {
    if (typeof value === 'string')
      return value.replace(spelling, found => `${this.#mark}${this.#found.push(found) - 1}z`)
    if (Array.isArray(value)) return value.map(item => this.#exchange(item, spelling))
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#exchange(item, spelling)]))
    return value
  }
}

/** Lower-case letters and digits alone, so that trimming and JSON leave it as it is; never in the messages themselves. */
function unusedMark(given: Given): string {
  const text = JSON.stringify(given)
  for (let i = 0; ; i++) if (!text.includes(`zq${i}q`)) return `zq${i}q`
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
