/** The published templates that llama.cpp's source holds, as the pinned binding ships it; they are not copied here. */
import { execFile } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ChatMessage } from '../../../../wire/chat.ts'
import { Conversing } from '../../conversing.ts'
import { ChatTemplate } from '../../templates.ts'
import type { FunctionTool, ReplyParser, Said, ToolsAsked } from '../dialect.ts'

const run = promisify(execFile)
const bundle = fileURLToPath(new URL('../llama/gitRelease.bundle', import.meta.resolve('node-llama-cpp')))

/** Why there are no templates to test with; false when there are. */
export async function missing(): Promise<string | false> {
  const present = await access(bundle).then(
    () => true,
    () => false,
  )
  if (!present) return 'the installed binding ships no source of llama.cpp'
  return run('git', ['--version']).then(
    () => false as const,
    () => 'there is no git to unpack the templates with',
  )
}

/** Templates by the names of their files. */
export async function publishedTemplates(): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'published-templates-'))
  try {
    await run('git', ['clone', '--quiet', '--no-checkout', bundle, folder])
    await run('git', ['-C', folder, 'checkout', '--quiet', 'HEAD', '--', 'models/templates'])
    const names = (await readdir(join(folder, 'models/templates'))).filter(name => name.endsWith('.jinja')).sort()
    const read = async (name: string) =>
      [name.slice(0, -'.jinja'.length), await readFile(join(folder, 'models/templates', name), 'utf8')] as const
    return new Map(await Promise.all(names.map(read)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const tool = (name: string): FunctionTool => ({
  type: 'function',
  function: {
    name,
    description: `Describes ${name}.`,
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string', description: 'A city.' },
        days: { type: 'integer', description: 'How long.' },
        detail: { type: 'boolean', description: 'How much.' },
        list: { type: 'array', items: { type: 'integer' }, description: 'Some numbers.' },
        where: { type: 'object', properties: { x: { type: 'number' } }, description: 'A place.' },
      },
      required: ['city'],
    },
  },
})
export const tools = [tool('get_weather'), tool('book_trip')]

export interface Called {
  readonly name: string
  readonly arguments: object
}

export const oslo: Called = {
  name: 'get_weather',
  arguments: { city: 'Oslo "é"\nby <b> & 😀', days: 2, detail: true, list: [1, 2], where: { x: 1.5 } },
}
export const lima: Called = { name: 'book_trip', arguments: { city: 'Lima', detail: false } }

export const called = (calls: readonly Called[], more: object = {}): ChatMessage => ({
  role: 'assistant',
  content: null,
  tool_calls: calls.map((call, i) => ({
    id: `call_${i}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  })),
  ...more,
})
export const user = (content: string): ChatMessage => ({ role: 'user', content })
export const result = (index: number, content: string): ChatMessage => ({
  role: 'tool',
  tool_call_id: `call_${index}`,
  content,
})

/** Tokens that end the turn of an assistant in one of the families: a model's file names them. */
const ends =
  /<EOS>|<\|im_end\|>|<\|eo[tm](_id)?\|>|<\|end\|>|<\|return\|>|<\|call\|>|<\|calls\|>|<\|end_of_text\|>|<turn\|>|<｜end▁of▁sentence｜>|\[e~\[|<\|END_OF_TURN_TOKEN\|>|<\|START_OF_TURN_TOKEN\|>|<seed:eos>|<SPECIAL_12>|<\|(user|observation)\|>|<\/assistant>|<sep>|<end_of_sentence>|<\|message_sep\|>|<\|end_of_msg\|>|<｜hy_eos:opensource｜>|<\|assistant_end\|>|<\|tool_response>|<end_of_turn>/

/** One template, and what a model behind it would do. */
export class Published {
  readonly conversing: Conversing
  readonly #template: ChatTemplate

  constructor(source: string) {
    const settings = { source, bosText: '<BOS>', eosText: '<EOS>', controlSpellings: [] }
    this.conversing = new Conversing(settings, spelling => new RegExp(`^(${ends.source})$`).test(spelling))
    this.#template = new ChatTemplate(settings)
  }

  prepare(
    messages: readonly ChatMessage[],
    offered: readonly FunctionTool[] = [],
    choice: ToolsAsked['choice'] = 'auto',
  ) {
    const asked = { tools: offered, choice, parallel: true, older: false }
    return this.conversing.prepare({ messages: [...messages], ...(offered.length > 0 && { tools: asked }) })
  }

  prompt(messages: readonly ChatMessage[], offered: readonly FunctionTool[] = []): string {
    const { pieces } = this.prepare(messages, offered)
    return pieces.map(({ text }) => text).join('')
  }

  /** The same without what makes the model answer. */
  history(messages: readonly ChatMessage[], offered: readonly FunctionTool[] = []): string {
    const shown = this.conversing.dialect.conversation(messages, offered)
    const rendered = (listed: typeof shown.tools) =>
      this.#template
        .render(shown.messages, listed, { add_generation_prompt: false })
        .map(({ text }) => text)
        .join('')
    try {
      return rendered(shown.tools)
    } catch (error) {
      // Some walk through the tools without asking whether there are any.
      if (shown.tools !== undefined) throw error
      return rendered([])
    }
  }

  /** What the template writes for this turn of an assistant: what a model is trained to generate. @param last what stands at its end */
  turn(message: ChatMessage, last: string): { reply: string; parser: ReplyParser } {
    const prepared = this.prepare([user('USER-1')], tools)
    const prompt = prepared.pieces.map(({ text }) => text).join('')
    const whole = this.history([user('USER-1'), message], tools)
    const plain = this.history([user('USER-1'), { role: 'assistant', content: 'SAID-1' }], tools)
    const cut = whole.startsWith(prompt) ? prompt.length : Math.max(shared(whole, prompt), shared(whole, plain))
    const rest = whole.slice(cut)
    const end = ends.exec(rest.slice(rest.lastIndexOf(last) + last.length))
    const reply = end === null ? rest : rest.slice(0, rest.lastIndexOf(last) + last.length + end.index)
    // Of a thought that the prompt begins the history keeps nothing: the model ends it.
    const thought = whole.startsWith(prompt) ? '' : this.conversing.dialect.thoughtEnd(prompt)
    return { reply: (thought === '' ? '' : `Hm.${thought}`) + reply, parser: prepared.makeParser() }
  }
}

/** How far both are the same, up to a place that is not inside a tag. */
function shared(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length - (/(<[^<>\s]*|\[[A-Z_]*)$/.exec(a.slice(0, length))?.[0].length ?? 0)
}

export interface Read {
  readonly content: string
  readonly reasoning: string
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[]
}

/** Reads a reply that arrives in these pieces. */
export function readReply(parser: ReplyParser, pieces: readonly string[]): Read {
  const said: Said[] = [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]
  const text = (kind: Said['kind']) =>
    said.map(event => (event.kind === kind && 'text' in event ? event.text : '')).join('')
  const calls: { name: string; text: string }[] = []
  for (const event of said) {
    if (event.kind === 'toolCall') calls.push({ name: event.name, text: '' })
    const last = calls.at(-1)
    if (event.kind === 'toolArguments' && last !== undefined) last.text += event.text
  }
  return {
    content: text('content'),
    reasoning: text('reasoning'),
    calls: calls.map(({ name, text: json }) => ({ name, arguments: parsed(json) })),
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

export interface Expected {
  readonly dialect: string
  /** The template prints nothing to make the model answer. */
  readonly unprompted?: true
  /** The family has no marks for thoughts. */
  readonly thoughtless?: true
  /** The template loses what is said beside calls, and refuses two turns instead of one. */
  readonly losesText?: true
  /** Why the grammar of a demanded call does not take all of the template's own calls. */
  readonly grammar?: 'no nested objects' | 'indented' | 'frame left open by one call'
  /** Why the prompt differs from that of Python's Jinja. */
  readonly python?: string
}

const nested = { grammar: 'no nested objects' } as const
const refusesLonger = 'Python cannot write what `map` gives as JSON, so that the template fails there'

/** What is known of each template that llama.cpp ships. `strange`: its calls are not understood, and tools are refused. */
export const published: Readonly<Record<string, Expected>> = {
  'Apertus-8B-Instruct': { dialect: 'own-keyed' },
  'Apriel-1.6-15b-Thinker-fixed': { dialect: 'own-json' },
  'Bielik-11B-v3.0-Instruct': { dialect: 'hermes' },
  'ByteDance-Seed-OSS': { dialect: 'own-rows', ...nested },
  Cohere2MoE: { dialect: 'own-json' },
  'CohereForAI-c4ai-command-r-plus-tool_use': {
    dialect: 'own-json',
    grammar: 'indented',
    python:
      'it fails where an object says nothing of further properties; here what is undefined has no attributes either',
  },
  'CohereForAI-c4ai-command-r7b-12-2024-tool_use': { dialect: 'own-json', unprompted: true },
  'GLM-4.6': { dialect: 'glm' },
  'GLM-4.7-Flash': { dialect: 'glm' },
  'GigaChat3-10B-A1.8B': { dialect: 'own-json' },
  'GigaChat3.1-10B-A1.8B': { dialect: 'own-json' },
  'HuggingFaceTB-SmolLM3-3B': { dialect: 'generic' },
  'Kimi-K2-Instruct': { dialect: 'own-named' },
  'Kimi-K2-Thinking': { dialect: 'own-named' },
  'Kimi-K3': { dialect: 'strange' },
  'LFM2-8B-A1B': { dialect: 'lfm' },
  'LFM2.5-8B-A1B': { dialect: 'lfm' },
  'LFM2.5-Instruct': { dialect: 'lfm' },
  'MiMo-VL': { dialect: 'hermes' },
  'MiniMax-M1': { dialect: 'own-json' },
  'MiniMax-M2': { dialect: 'own-rows' },
  'MiniMax-M3': { dialect: 'strange' },
  'Mistral-Small-3.2-24B-Instruct-2506': { dialect: 'mistral-args', unprompted: true, losesText: true },
  'NVIDIA-Nemotron-3-Nano-30B-A3B-BF16': { dialect: 'qwen-coder' },
  'NVIDIA-Nemotron-Nano-v2': { dialect: 'own-json' },
  'NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use': { dialect: 'hermes' },
  'NousResearch-Hermes-3-Llama-3.1-8B-tool_use': { dialect: 'hermes' },
  'Qwen-QwQ-32B': { dialect: 'hermes' },
  'Qwen-Qwen2.5-7B-Instruct': { dialect: 'hermes' },
  'Qwen-Qwen3-0.6B': { dialect: 'hermes' },
  'Qwen3-Coder': { dialect: 'qwen-coder' },
  'Qwen3.5-4B': { dialect: 'qwen-coder' },
  'Reka-Edge': { dialect: 'hermes' },
  'StepFun3.5-Flash': { dialect: 'qwen-coder' },
  'deepseek-ai-DeepSeek-R1-Distill-Llama-8B': { dialect: 'deepseek', grammar: 'frame left open by one call' },
  'deepseek-ai-DeepSeek-R1-Distill-Qwen-32B': { dialect: 'deepseek' },
  'deepseek-ai-DeepSeek-V3.1': { dialect: 'deepseek-v3.1' },
  'deepseek-ai-DeepSeek-V3.2': { dialect: 'own-rows' },
  'deepseek-ai-DeepSeek-V4': { dialect: 'own-rows' },
  'deepseek-ai-DeepSeek-V4-Flash-0731': { dialect: 'own-rows' },
  'fireworks-ai-llama-3-firefunction-v2': {
    dialect: 'own-json',
    unprompted: true,
    python: 'it wants variables that only we give',
  },
  'google-gemma-2-2b-it': { dialect: 'generic' },
  'google-gemma-4-31B-it': { dialect: 'own-braces', ...nested },
  'google-gemma-4-31B-it-interleaved': { dialect: 'own-braces', ...nested },
  'ibm-granite-granite-3.3-2B-Instruct': { dialect: 'phi' },
  'ibm-granite-granite-4.0': { dialect: 'hermes' },
  'ibm-granite-granite-4.1': { dialect: 'hermes' },
  'llama-cpp-deepseek-r1': { dialect: 'deepseek', python: refusesLonger },
  'llama-cpp-rwkv-world': { dialect: 'generic' },
  'meetkai-functionary-medium-v3.1': {
    dialect: 'function-tags',
    python: '`safe` makes Python escape the quotes of what follows; here it does nothing',
  },
  'meetkai-functionary-medium-v3.2': { dialect: 'functionary', thoughtless: true },
  'meta-llama-Llama-3.1-8B-Instruct': { dialect: 'llama' },
  'meta-llama-Llama-3.2-3B-Instruct': { dialect: 'llama' },
  'meta-llama-Llama-3.3-70B-Instruct': { dialect: 'llama' },
  'microsoft-Phi-3.5-mini-instruct': { dialect: 'generic' },
  'mistralai-Ministral-3-14B-Reasoning-2512': { dialect: 'mistral-args', unprompted: true },
  'mistralai-Mistral-Nemo-Instruct-2407': { dialect: 'mistral', unprompted: true, losesText: true },
  'moonshotai-Kimi-K2': { dialect: 'own-named' },
  'muse-glimmer': { dialect: 'strange' },
  'openai-gpt-oss-120b': { dialect: 'harmony' },
  'openbmb-MiniCPM5-1B': { dialect: 'own-rows', ...nested },
  'poolside-Laguna-S-2.1': { dialect: 'glm' },
  'poolside-Laguna-XS-2.1': { dialect: 'glm' },
  'poolside-Laguna-XS.2': { dialect: 'glm' },
  'tencent-Hy3': { dialect: 'own-rows' },
  'unsloth-Apriel-1.5': { dialect: 'own-json' },
  'unsloth-mistral-Devstral-Small-2507': { dialect: 'mistral-args', unprompted: true },
  'upstage-Solar-Open-100B': { dialect: 'own-named' },
}
