import type { Ability, RelayPath } from '../../engine.ts'

/** How servers of one kind differ from OpenAI's own. What is not said is as there; a fact stands with its source, in `table.ts`. */
export interface Kind {
  /** As the settings call the kind. */
  readonly name: KindName
  /** Its usual address, up to and with the version; absent: each installation has its own. */
  readonly baseUrl?: string
  /** Hosts that tell the kind where the settings do not; those under them count, such as `mine.openai.azure.com`. */
  readonly hosts?: readonly string[]
  /** How its key is sent: `api-key: …`, or as OpenAI has it, which is the default: `authorization: Bearer …`. */
  readonly key?: 'bearer' | 'api-key'
  /** The model is a deployment, which stands in the path. */
  readonly deployments?: true
  /** What its models can do as far as it knows; default: all. */
  readonly abilities?: readonly Ability[]
  /** Parameters that have another name there. */
  readonly renames?: Readonly<Record<string, string>>
  /** Parameters that it drops in silence, by path: requests with them are refused, because what is ignored changes the reply. */
  readonly ignores?: Readonly<Partial<Record<RelayPath, readonly Ignored[]>>>
  /** What each request for text carries, so that the server refuses what it cannot do. Left out where the settings are lenient. */
  readonly adds?: Readonly<Record<string, unknown>>
  /** It gives one reply a request: `n` above 1 is as many requests at once. */
  readonly oneChoice?: true
  /** It knows no `stream_options`: the usage comes unasked, beside the last choice of each stream. */
  readonly usageUnasked?: true
  /** Inputs that one request for embeddings holds at most, for those that are joined. */
  readonly inputsMax?: number
  /** How it words that a prompt is too long, where its code does not say so: `context_length_exceeded` for callers. */
  readonly tooLong?: RegExp
}

/** A parameter; with `when`, only some of its values are ignored. */
export type Ignored = string | { readonly name: string; when(value: unknown, target: string): boolean }

export const kindNames = [
  'openai-compatible',
  'openai',
  'azure',
  'vllm',
  'sglang',
  'llama.cpp',
  'ollama',
  'lm-studio',
  'tgi',
  'deepseek',
  'groq',
  'mistral',
  'openrouter',
  'together',
  'fireworks',
  'xai',
  'gemini',
  'anthropic',
] as const
export type KindName = (typeof kindNames)[number]
