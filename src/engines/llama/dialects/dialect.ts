/**
 * How a family of models speaks through its chat template: what it is shown, what it writes, and what it can be made to write. Ids
 * of calls, finish reasons and chunks are made elsewhere.
 */
import type { ChatMessage, ChatRequest, Tool } from '../../../wire/chat.ts'

export type FunctionTool = Extract<Tool, { type: 'function' }>

export interface Dialect {
  /** For logs and tests. */
  readonly family: string
  /** What stands around an answer that calls nothing; '' where it has no marks. */
  readonly answer: Wrapping
  /** Control tokens whose spelling the parser must find in the generated text, although they normally have none. */
  readonly visible: readonly string[]
  /** OpenAI's messages as the template takes them, and the tools it renders itself; undefined when there are none for it. */
  conversation(messages: readonly ChatMessage[], tools: readonly FunctionTool[]): Conversation
  /** What `tool_choice` and `parallel_tool_calls` come to. */
  choose(asked: ToolsAsked): ToolsChosen
  /** How thoughts are marked, the likeliest first. */
  readonly thoughts: readonly Wrapping[]
  /** What ends a thought that the prompt has begun, so that an answer can be demanded; '' where it has begun none. */
  thoughtEnd(prompt: string): string
  /** Reads one generated reply. */
  parser(options: ParserOptions): ReplyParser
}

export interface Conversation {
  readonly messages: readonly TemplateTurn[]
  readonly tools: readonly object[] | undefined
}

/** A message as templates know it. `content` is null only where a template asks whether it is `none`. */
export interface TemplateTurn {
  readonly role: string
  readonly content: string | null
  readonly [field: string]: unknown
}

export interface ToolsAsked {
  readonly tools: readonly FunctionTool[]
  readonly choice: ChatRequest['tool_choice']
  /** `parallel_tool_calls`; OpenAI's default is true. */
  readonly parallel: boolean
  /** The end of the rendered prompt: 64 characters are enough. Only read when a call is forced. */
  readonly prompt?: string
}

export interface ToolsChosen {
  /** Rendered into the prompt, and listened for. None of them when the choice is `none`. */
  readonly tools: readonly FunctionTool[]
  /** null: any number of calls. */
  readonly callsMax: number | null
  /** null: the model decides whether it calls. */
  readonly forced: ForcedCall | null
}

export interface ForcedCall {
  /**
   * Stands at the end of the prompt and is given to the parser before the generated text. `control`: spellings of control tokens
   * are control tokens.
   */
  readonly prefix: readonly { readonly text: string; readonly control: boolean }[]
  /** How much of the first call's spelling the prefix holds: a beginning of `open before NAME between`, slots included. */
  readonly written: string
  /** The functions that may be called. */
  readonly names: readonly string[]
  readonly framing: CallFraming
}

/**
 * How calls are spelt: `open (before NAME between ARGUMENTS after) separator (…) close`. Everything but name and arguments is
 * literal, so that it is also a grammar; numbers and ids that differ from call to call are slots (`grammar/slots.ts`).
 */
export interface CallFraming {
  readonly open: string
  readonly before: string
  readonly between: string
  readonly after: string
  /** null: a reply holds one call. */
  readonly separator: string | null
  readonly close: string
  /** `json`: the name stands inside a JSON string and is escaped so. */
  readonly name: 'json' | 'plain'
  /** null: the arguments are one JSON object. */
  readonly parameters: RowFraming | null
}

/** How arguments are spelt that are no JSON object: for each `before KEY between VALUE after`, joined by `separator`. Texts are not quoted. */
export interface RowFraming {
  readonly before: string
  readonly between: string
  readonly after: string
  readonly separator: string
  /** Around values that are no text, where that differs. */
  readonly other: Pick<RowFraming, 'between' | 'after'> | null
  /** A truth is `True` or `False`, as Python prints it. */
  readonly python: boolean
  /** Texts that could be taken for tags stand in `<![CDATA[…]]>`. */
  readonly cdata: boolean
}

/** What stands around something. */
export interface Wrapping {
  readonly open: string
  readonly close: string
}

export interface ParserOptions {
  /** Without tools nothing is taken for a call. */
  readonly tools: readonly FunctionTool[]
  /** The end of the rendered prompt, without a forced prefix: some templates begin the thought or the call there. */
  readonly prompt: string
  readonly callsMax?: number | null
}

/** Finds thoughts, text and calls in generated text. The same text gives the same result however it is cut; nothing throws. */
export interface ReplyParser {
  push(text: string): Said[]
  /** What was held back. Calls that never began are text. */
  end(): Said[]
  /** Calls begun so far. */
  readonly calls: number
  /** As many calls as allowed are complete: the reply may end here, and the parser takes no more. */
  readonly full: boolean
}

export type Said =
  | { readonly kind: 'content' | 'reasoning'; readonly text: string }
  /** `index` counts the calls of a reply. `id` only where the model wrote one before the arguments. */
  | { readonly kind: 'toolCall'; readonly index: number; readonly name: string; readonly id?: string }
  /** A piece of the arguments, as the model wrote them: JSON, unless the model was wrong or was cut off. */
  | { readonly kind: 'toolArguments'; readonly index: number; readonly text: string }
