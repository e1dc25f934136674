import { availableParallelism } from 'node:os'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'

export interface LlamaOptions {
  /** What replies name as their model. */
  readonly name: string
  /** Of a GGUF file. */
  readonly file: string
  /** A GGUF file with a LoRA adapter for it. */
  readonly adapter?: string
  /** How strongly the adapter works; 0 is without. Default 1. */
  readonly scale?: number
  /** Tokens of one request, prompt and reply together. Default: the model's own, at most 8192. Memory is taken for each slot. */
  readonly context?: number
  /** Replies that are generated at once; further ones wait. Default 4. */
  readonly slots?: number
  /** Default: processor cores - 1, at least 1. Threads of llama.cpp spin while they wait: with one too many all of them crawl. */
  readonly threads?: number
  /** Tokens decoded in one step at most. Default 512. */
  readonly batch?: number
  /** Requests that may wait for a slot; beyond it `fault.overloaded`. Default 256. */
  readonly queue?: number
  /** `auto` uses a GPU where a binary for it is installed. Default false. */
  readonly gpu?: 'auto' | false
  /** Default 60 s. */
  readonly loadTimeoutMs?: number
  /** Environment of the model's process, e.g. the library path of a GPU driver. Default: empty. */
  readonly environment?: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly log: Log
}

type Optional = 'context' | 'adapter'
export type Settings = Required<Omit<LlamaOptions, Optional>> & {
  readonly [Name in Optional]: LlamaOptions[Name] | undefined
}

export const contextDefaultMax = 8192

export function withDefaults(options: LlamaOptions): Settings {
  return {
    context: undefined,
    adapter: undefined,
    scale: 1,
    slots: 4,
    threads: Math.max(1, availableParallelism() - 1),
    batch: 512,
    queue: 256,
    gpu: false,
    loadTimeoutMs: 60_000,
    environment: {},
    ...options,
  }
}
