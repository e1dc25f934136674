import type { TemplateTurn } from './dialects/index.ts'
import { BudgetSpent, Jinja, Raised, type TemplateClock, TemplateError } from './jinja/index.ts'
import type { TemplateSettings } from './protocol.ts'

/** A template is code from a stranger's file: this is all it may spend on one rendering. */
export const templateBudget = {
  steps: 1_000_000,
  millis: 100,
  bytes: 32 * 1024 * 1024,
  /** On top, for each character of the messages: an honest template holds a message about six times on the way. */
  bytesPerCharacter: 32,
  depth: 200,
} as const

/** A stretch of a rendered prompt. `control`: spellings of control tokens are control tokens; otherwise they are text. */
export interface PromptPiece {
  readonly text: string
  readonly control: boolean
}

/** That of this machine and this thread. */
export const systemClock: TemplateClock = {
  now: () => performance.now(),
  cpu() {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  },
  date: () => new Date(),
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
  readonly #program: Jinja
  readonly #settings: TemplateSettings
  readonly #spelling: RegExp | null
  readonly #clock: TemplateClock

  /** @throws TemplateFailed when the source is not a template */
  constructor(settings: TemplateSettings, clock: TemplateClock = systemClock) {
    this.#settings = settings
    this.#clock = clock
    const spellings = settings.controlSpellings.filter(spelling => spelling !== '').map(escaped)
    // Longest first, so that no spelling hides behind a shorter one.
    this.#spelling =
      spellings.length === 0 ? null : new RegExp(spellings.sort((a, b) => b.length - a.length).join('|'), 'g')
    try {
      this.#program = new Jinja(settings.source)
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
    const variables = {
      add_generation_prompt: true,
      bos_token: this.#settings.bosText,
      eos_token: this.#settings.eosText,
      ...this.#older(tools),
      ...settings,
      ...defused.given,
    }
    const said = messages.reduce((sum, { content }) => sum + (content?.length ?? 0), 0)
    const characters = said + (tools === undefined ? 0 : JSON.stringify(tools).length)
    const limits = { ...templateBudget, bytes: templateBudget.bytes + templateBudget.bytesPerCharacter * characters }
    try {
      return defused.pieces(this.#program.render(variables, limits, this.#clock))
    } catch (error) {
      throw failure(error)
    }
  }

  #older(tools: readonly object[] = []): Record<string, string> {
    if (!olderNames.every(name => this.#settings.source.includes(name))) return {}
    const functions = tools.map(tool => ('function' in tool ? tool.function : tool))
    return { functions: JSON.stringify(functions), datetime: this.#clock.date().toUTCString() }
  }
}

/** The names that templates of 2024 have for the tools and the time, where there was no usage yet. */
const olderNames = ['functions', 'datetime']

function failure(error: unknown): Error {
  if (error instanceof Raised) return new MessagesRefused(error.message.slice(0, 500))
  if (error instanceof BudgetSpent)
    return new TemplateFailed(`The chat template of the model exceeds its ${error.message}`, { cause: error })
  const detail =
    error instanceof TemplateError || error instanceof RangeError ? error.message.slice(0, 200) : 'unknown error'
  return new TemplateFailed(`The chat template of the model failed: ${detail}`, { cause: error })
}

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
