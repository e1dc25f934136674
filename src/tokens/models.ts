import { fault } from '../lib/faults.ts'
import type { EncodingName } from './definitions.ts'

/**
 * The encoding a model was trained with, by any name OpenAI or Azure gave it: plain and dated names, `ft:` names of fine-tuned
 * models, the older `davinci:ft-organisation-…` ones, and Azure's spelling `gpt-35-turbo`.
 * Source: `tiktoken/model.py` of openai/tiktoken 0.14.0, extended by the models it does not list (moderation, audio, images).
 * @throws Fault 404 `model_not_found`
 */
export function encodingNameForModel(model: string): EncodingName {
  const name = findEncodingName(model)
  if (name === undefined) throw fault.modelNotFound(model.slice(0, 128))
  return name
}

/** The same, or undefined for a model whose encoding is not known. */
export function findEncodingName(model: string): EncodingName | undefined {
  const base = baseModel(model)
  const exact = encodingOf.get(base)
  if (exact !== undefined) return exact
  return families.find(([prefix]) => base.startsWith(prefix))?.[1]
}

/**
 * The model that a name stands on: `ft:gpt-4o-mini-2024-07-18:acme::abc` is a `gpt-4o-mini-2024-07-18`, `davinci:ft-acme-2022-01-01`
 * a `davinci`, and Azure's `gpt-35-turbo-16k` OpenAI's `gpt-3.5-turbo-16k`.
 */
export function baseModel(model: string): string {
  const [first = '', second = ''] = model.split(':', 2)
  const name = first === 'ft' ? second : first
  return name.replace(/^gpt-35/, 'gpt-3.5')
}

const byEncoding: Partial<Record<EncodingName, readonly string[]>> = {
  gpt2: ['gpt2', 'gpt-2'],
  r50k_base: [
    ...['davinci', 'curie', 'babbage', 'ada'],
    ...['text-davinci-001', 'text-curie-001', 'text-babbage-001', 'text-ada-001'],
    ...['davinci-instruct-beta', 'curie-instruct-beta'],
    ...['text-similarity-davinci-001', 'text-similarity-curie-001'],
    ...['text-similarity-babbage-001', 'text-similarity-ada-001'],
    ...['text-search-davinci-doc-001', 'text-search-curie-doc-001'],
    ...['text-search-babbage-doc-001', 'text-search-ada-doc-001'],
    ...['text-search-davinci-query-001', 'text-search-curie-query-001'],
    ...['text-search-babbage-query-001', 'text-search-ada-query-001'],
    ...['code-search-babbage-code-001', 'code-search-ada-code-001'],
    ...['code-search-babbage-text-001', 'code-search-ada-text-001'],
  ],
  p50k_base: [
    ...['text-davinci-002', 'text-davinci-003', 'code-davinci-001', 'code-davinci-002'],
    ...['code-cushman-001', 'code-cushman-002', 'davinci-codex', 'cushman-codex'],
  ],
  p50k_edit: ['text-davinci-edit-001', 'code-davinci-edit-001'],
  cl100k_base: [
    ...['gpt-4', 'gpt-3.5', 'gpt-3.5-turbo', 'davinci-002', 'babbage-002'],
    ...['text-embedding-ada-002', 'text-embedding-3-small', 'text-embedding-3-large'],
    ...['text-moderation-latest', 'text-moderation-stable', 'text-moderation-007'],
  ],
  o200k_base: [
    ...['gpt-4o', 'gpt-4.1', 'gpt-4.5', 'gpt-5', 'o1', 'o3', 'o4-mini', 'chat-latest'],
    ...['omni-moderation-latest', 'omni-moderation-2024-09-26', 'codex-mini-latest'],
    ...['computer-use-preview', 'gpt-audio', 'gpt-realtime', 'gpt-image-1'],
  ],
  o200k_harmony: ['gpt-oss'],
}

const encodingOf = new Map(
  Object.entries(byEncoding).flatMap(([name, models]) => models.map(model => [model, name as EncodingName] as const)),
)

/** Families by how their names begin, for dated and later members; the longer beginnings stand first. */
const families: readonly (readonly [prefix: string, EncodingName])[] = [
  ['gpt-oss-', 'o200k_harmony'],
  ['gpt-5', 'o200k_base'],
  ['gpt-4.5-', 'o200k_base'],
  ['gpt-4.1-', 'o200k_base'],
  ['gpt-4o-', 'o200k_base'],
  ['chatgpt-4o-', 'o200k_base'],
  ['o1-', 'o200k_base'],
  ['o3-', 'o200k_base'],
  ['o4-mini-', 'o200k_base'],
  ['codex-mini-', 'o200k_base'],
  ['computer-use-preview-', 'o200k_base'],
  ['gpt-audio-', 'o200k_base'],
  ['gpt-realtime-', 'o200k_base'],
  ['gpt-image-1-', 'o200k_base'],
  ['gpt-4-', 'cl100k_base'],
  ['gpt-3.5-turbo-', 'cl100k_base'],
]
