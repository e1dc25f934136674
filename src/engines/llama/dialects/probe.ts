import { ChatTemplate, MessagesRefused, systemClock, TemplateFailed } from '../templates.ts'
import type { TemplateTurn } from './dialect.ts'

/** Words that stand in no template: where they show up in a rendering tells what the template does with them. */
export const words = {
  system: 'zsystem',
  more: 'zmore',
  user: 'zuser',
  again: 'zagain',
  said: 'zsaid',
  thought: 'zthought',
  result: 'zresult',
  /** Of a call's arguments. */
  value: 'zvalue',
  other: 'zother',
} as const

export const names = ['zfirst', 'zsecond'] as const
/** Nine letters and digits, which every template takes. */
export const ids = ['zid000001', 'zid000002'] as const
export const keys = ['zkeyone', 'zkeytwo'] as const

const parameters = {
  type: 'object',
  properties: {
    [keys[0]]: { type: 'string', description: 'zd' },
    [keys[1]]: { type: 'string', description: 'ze' },
  },
  required: [keys[0]],
}
export const tool = (name: string) => ({
  type: 'function',
  function: { name, description: 'zdescription', parameters },
})
export const tools = names.map(tool)

export const turns = {
  system: { role: 'system', content: words.system },
  user: { role: 'user', content: words.user },
  again: { role: 'user', content: words.again },
  said: { role: 'assistant', content: words.said },
} as const

export interface Call {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: unknown }
}

export const call = (which: 0 | 1, given: unknown, id: string = ids[which]): Call => ({
  id,
  type: 'function',
  function: { name: names[which], arguments: given },
})

export const calling = (calls: readonly Call[], content: string | null = '', more: object = {}): TemplateTurn => ({
  role: 'assistant',
  content,
  tool_calls: calls,
  ...more,
})

export const result = (which: 0 | 1, content: string = words.result, id: string = ids[which]): TemplateTurn => ({
  role: 'tool',
  content,
  tool_call_id: id,
  name: names[which],
})

/** Asks a template what it does, by rendering small conversations. A template that fails or refuses says nothing. */
export class Probe {
  readonly #template: ChatTemplate | null
  #spentMillis = 0

  constructor(source: string) {
    this.#template = compiled(source)
  }

  /** @param reply whether the prompt ends where the model goes on @returns null: the template refuses, or fails */
  text(conversation: readonly TemplateTurn[], listed?: readonly object[], reply = true): string | null {
    if (this.#template === null || this.#spentMillis > millisMax) return null
    const began = systemClock.cpu()
    try {
      return this.#rendered(this.#template, { conversation, listed, settings: { add_generation_prompt: reply } })
    } catch (error) {
      if (error instanceof TemplateFailed || error instanceof MessagesRefused) return null
      throw error
    } finally {
      this.#spentMillis += systemClock.cpu() - began
    }
  }

  /** Whether a rendering holds all of these words. */
  shows(
    expected: readonly string[],
    conversation: readonly TemplateTurn[],
    listed?: readonly object[],
    reply = true,
  ): boolean {
    const text = this.text(conversation, listed, reply)
    return text !== null && expected.every(word => text.includes(word))
  }

  /** Some templates walk through the tools without asking whether there are any. */
  #rendered(template: ChatTemplate, { conversation, listed, settings }: Asked): string {
    const joined = (given: readonly object[] | undefined) =>
      template
        .render(conversation, given, settings)
        .map(({ text }) => text)
        .join('')
    try {
      return joined(listed)
    } catch (error) {
      if (listed !== undefined || !(error instanceof TemplateFailed)) throw error
      return joined([])
    }
  }
}

interface Asked {
  readonly conversation: readonly TemplateTurn[]
  readonly listed: readonly object[] | undefined
  readonly settings: Readonly<Record<string, boolean>>
}

/** A template that takes longer for all questions together is asked no more: published ones take less than 100. */
const millisMax = 1000

function compiled(source: string): ChatTemplate | null {
  try {
    return new ChatTemplate({ source, bosText: '', eosText: '', controlSpellings: [] })
  } catch (error) {
    if (error instanceof TemplateFailed) return null
    throw error
  }
}
