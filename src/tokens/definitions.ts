import { fault } from '../lib/faults.ts'
import type { TableName } from './ranks.ts'
import { type Splitter, splitCl100k, splitGpt2, splitO200k } from './split.ts'

/** The encodings of OpenAI's models, by tiktoken's names. `gpt2` is `r50k_base` by its older name. */
export type EncodingName =
  | 'gpt2'
  | 'r50k_base'
  | 'p50k_base'
  | 'p50k_edit'
  | 'cl100k_base'
  | 'o200k_base'
  | 'o200k_harmony'

/** What an encoding is made of. Source: `tiktoken_ext/openai_public.py` of openai/tiktoken (MIT). */
export interface Definition {
  readonly table: TableName
  readonly split: Splitter
  readonly specialTokens: Readonly<Record<string, number>>
}

const o200kSpecials = { '<|endoftext|>': 199_999, '<|endofprompt|>': 200_018 }

const p50k: Definition = { table: 'p50k_base', split: splitGpt2, specialTokens: { '<|endoftext|>': 50_256 } }
const r50k: Definition = { table: 'r50k_base', split: splitGpt2, specialTokens: { '<|endoftext|>': 50_256 } }
const o200k: Definition = { table: 'o200k_base', split: splitO200k, specialTokens: o200kSpecials }

const definitions: Readonly<Record<EncodingName, Definition>> = {
  gpt2: r50k,
  r50k_base: r50k,
  p50k_base: p50k,
  p50k_edit: {
    ...p50k,
    specialTokens: {
      '<|endoftext|>': 50_256,
      '<|fim_prefix|>': 50_281,
      '<|fim_middle|>': 50_282,
      '<|fim_suffix|>': 50_283,
    },
  },
  cl100k_base: {
    table: 'cl100k_base',
    split: splitCl100k,
    specialTokens: {
      '<|endoftext|>': 100_257,
      '<|fim_prefix|>': 100_258,
      '<|fim_middle|>': 100_259,
      '<|fim_suffix|>': 100_260,
      '<|endofprompt|>': 100_276,
    },
  },
  o200k_base: o200k,
  o200k_harmony: { ...o200k, specialTokens: harmonySpecials() },
}

export const encodingNames = Object.keys(definitions) as readonly EncodingName[]

export const isEncodingName = (name: string): name is EncodingName => Object.hasOwn(definitions, name)

/** @throws Fault 400 `unknown_encoding` */
export function definitionOf(name: string): Definition {
  if (isEncodingName(name)) return definitions[name]
  throw fault.invalidValue(
    'encoding',
    `Unknown encoding '${name.slice(0, 64)}'. The encodings are ${encodingNames.join(', ')}.`,
    'unknown_encoding',
  )
}

/** Harmony names twelve more tokens and reserves all others up to 201,087; 200,018 keeps the name it has in o200k_base, too. */
function harmonySpecials(): Record<string, number> {
  const named: Record<string, number> = {
    '<|startoftext|>': 199_998,
    '<|endoftext|>': 199_999,
    '<|return|>': 200_002,
    '<|constrain|>': 200_003,
    '<|channel|>': 200_005,
    '<|start|>': 200_006,
    '<|end|>': 200_007,
    '<|message|>': 200_008,
    '<|call|>': 200_012,
  }
  const taken = new Set(Object.values(named))
  for (let rank = 200_000; rank < 201_088; rank++) if (!taken.has(rank)) named[`<|reserved_${rank}|>`] = rank
  return { ...named, ...o200kSpecials }
}
