import { fault } from '../../lib/faults.ts'
import { type Callable, forcedGrammar, formatGrammar, formatOrCalls, someStrict, textOrCalls } from './constraint.ts'
import {
  type Dialect,
  dialectOf,
  type ReplyParser,
  type Conversation as Shown,
  type ToolsChosen,
} from './dialects/index.ts'
import { grammarCache } from './grammar/index.ts'
import type { ChatMessage, TemplateSettings, ToolsAsked } from './protocol.ts'
import { ChatTemplate, type PromptPiece, TemplateFailed } from './templates.ts'

/** A chat, ready to be tokenised. */
export interface Prepared {
  readonly pieces: readonly PromptPiece[]
  /** The beginning of the reply that stands at the end of the prompt. */
  readonly opening: string
  /** What the reply must fit; undefined: anything. @throws Fault for schemas that cannot be enforced */
  grammar(): string | undefined
  /** One for each choice. */
  makeParser(): ReplyParser
}

/** What is said, and what may be answered. */
export type Conversation = Pick<ChatMessage, 'messages' | 'tools' | 'format' | 'effort'>

/** How far the parser looks back into the prompt. */
const promptEnd = 64
const grammars = { countMax: 64, charactersMax: 4_194_304 } as const
const noTools: ToolsAsked = { tools: [], choice: 'none', parallel: true, older: false }

let latest: { readonly source: string; readonly dialect: Dialect } | undefined

/** The dialect of a template; that of the last one is kept, since a process speaks with one model. */
export function dialectFor(source: string): Dialect {
  if (latest?.source !== source) latest = { source, dialect: dialectOf(source) }
  return latest.dialect
}

/** Speaks with a model through its chat template, in the words of its family. */
export class Conversing {
  readonly dialect: Dialect
  readonly #template: ChatTemplate
  readonly #source: string
  readonly #ends: (spelling: string) => boolean
  readonly #grammars = grammarCache(grammars)

  /** @param ends whether a spelling is that of a token which ends the reply @throws TemplateFailed */
  constructor(settings: TemplateSettings, ends: (spelling: string) => boolean) {
    this.#template = new ChatTemplate(settings)
    this.#source = settings.source
    this.dialect = dialectFor(settings.source)
    this.#ends = ends
  }

  /** @throws MessagesRefused, TemplateFailed; Fault for tools and schemas that cannot be */
  prepare({ messages, tools: asked = noTools, format, effort }: Conversation): Prepared {
    const { dialect } = this
    const free = dialect.choose(asked)
    const shown = dialect.conversation(messages, free.tools)
    const rendered = this.#render(shown, effortSettings(effort, this.#source))
    const prompt = rendered
      .slice(-promptEnd)
      .map(({ text }) => text)
      .join('')
      .slice(-promptEnd)
    const chosen = free.forced === null ? free : dialect.choose({ ...asked, prompt })
    const constrained = chosen.forced !== null || format !== undefined || someStrict(chosen.tools)
    const prefix = chosen.forced?.prefix ?? (format === undefined ? [] : control(dialect.thoughtEnd(prompt)))
    return {
      pieces: [...rendered, ...prefix],
      opening: prefix.map(({ text }) => text).join(''),
      grammar: () => {
        if (!constrained) return undefined
        const make = () => ({ text: this.#grammar(asked, chosen, format), steps: 0 })
        return this.#grammars.get([asked, format ?? null, prompt], make).text
      },
      makeParser: () => dialect.parser({ tools: chosen.tools, prompt, callsMax: chosen.callsMax }),
    }
  }

  /** Templates that walk through the tools without asking whether there are any get an empty list. */
  #render({ messages, tools }: Shown, settings: Record<string, string | boolean>): PromptPiece[] {
    try {
      return this.#template.render(messages, tools, settings)
    } catch (error) {
      if (tools !== undefined || !(error instanceof TemplateFailed)) throw error
      return this.#template.render(messages, [], settings)
    }
  }

  #grammar(asked: ToolsAsked, { tools, callsMax, forced }: ToolsChosen, format: Conversation['format']): string {
    const callable = (names?: readonly string[]): Callable => {
      const some = names === undefined ? tools : tools.filter(tool => names.includes(tool.function.name))
      // A demanded call says how calls are spelt.
      const framing = forced?.framing ?? this.dialect.choose({ ...asked, choice: 'required' }).forced?.framing
      if (framing === undefined) throw new Error('The dialect cannot spell calls')
      return { asked, tools: some, framing, most: callsMax, ends: this.#ends }
    }
    if (forced !== null) return forcedGrammar(callable(forced.names), forced)
    if (format === undefined) return textOrCalls(callable(), this.dialect.answer.open)
    const json = formatGrammar(format)
    const opening = this.dialect.answer.open
    return tools.length > 0 || opening !== ''
      ? formatOrCalls(json, tools.length > 0 ? callable() : null, opening)
      : json
  }
}

const control = (text: string): PromptPiece[] => (text === '' ? [] : [{ text, control: true }])

/**
 * What a template is told of `reasoning_effort`: the word itself where it prints it, and whether to think at all where it can switch
 * that off.
 * @throws fault.unsupportedValue where the template makes no difference
 */
export function effortSettings(effort: string | undefined, source: string): Record<string, string | boolean> {
  if (effort === undefined) return {}
  const words = source.includes('reasoning_effort')
    ? ['low', 'medium', 'high']
    : source.includes('enable_thinking')
      ? ['none']
      : []
  if (!words.includes(effort))
    throw fault.unsupportedValue(
      'reasoning_effort',
      words.length === 0
        ? 'This model thinks as long as it thinks: it does not know an effort.'
        : `This model knows no effort '${effort}'. Supported: ${words.join(', ')}.`,
    )
  return effort === 'none' ? { enable_thinking: false } : { reasoning_effort: effort }
}
