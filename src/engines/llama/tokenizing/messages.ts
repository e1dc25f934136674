/**
 * What the server's process and the process of a tokenizer say to one another. The server sends `load` once, then one job at a time;
 * the child answers `load` with `loaded` or `failed`, and a job with any number of `part`, then `done`, or with `refused`.
 */
import type { Conversation } from '../conversing.ts'
import type { Refusal, TemplateSettings } from '../protocol.ts'

export type ToTokenizer = LoadVocabulary | Job

export interface LoadVocabulary {
  readonly type: 'load'
  readonly file: string
  readonly template: TemplateSettings | null
}

export type Job =
  | { readonly type: 'encode' | 'count'; readonly text: string; readonly special: boolean }
  | { readonly type: 'decode' | 'pieces'; readonly tokens: Uint32Array }
  | { readonly type: 'chat'; readonly conversation: Conversation }

export type FromTokenizer =
  | { readonly type: 'loaded' }
  | { readonly type: 'failed'; readonly reason: string }
  | Part
  | { readonly type: 'done'; readonly count: number }
  | { readonly type: 'refused'; readonly refusal: Refusal }

/** Results come in parts that the server reads in a millisecond each. `ends`: where pieces end, counted from the part's start. */
export type Part =
  | { readonly type: 'part'; readonly tokens: Uint32Array }
  | { readonly type: 'part'; readonly text: string; readonly ends?: Uint32Array }
