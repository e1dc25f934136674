import { availableParallelism } from 'node:os'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Settings as LlamaSettings } from '../llama/settings.ts'
import { withDefaults as llamaDefaults } from '../llama/settings.ts'

export interface LlamaServerOptions {
  /** What replies name as their model. */
  readonly name: string
  /** The program `llama-server`. */
  readonly binary: string
  /** Of a GGUF file that generates. */
  readonly file: string
  /** A GGUF file with the model's projector: it then reads images. */
  readonly mmproj?: string
  /** A GGUF file with a LoRA adapter that is always at work. */
  readonly adapter?: string
  /** How strongly. Default 1. */
  readonly scale?: number
  /** LoRA adapters that a request may name in its `lora`, by their place in this list. */
  readonly adapters?: readonly string[]
  /** Tokens of one request, prompt and reply together. Default: the model's own, at most 8192. */
  readonly context?: number
  /** Replies that are generated at once; further ones wait. Default 4. */
  readonly slots?: number
  /** Default: processor cores - 1, at least 1. */
  readonly threads?: number
  /** Requests that may wait for a slot; beyond it `fault.overloaded`. Default 256. */
  readonly queue?: number
  /** Default 60 s. */
  readonly loadTimeoutMs?: number
  /** Environment of the process, e.g. the library path of a GPU driver. Default: empty. */
  readonly environment?: Readonly<Record<string, string>>
  /** Of the product, for the user agent. */
  readonly version: string
  readonly clock: Clock
  readonly log: Log
}

type Optional = 'context' | 'adapter' | 'mmproj'
export type Settings = Required<Omit<LlamaServerOptions, Optional>> & {
  readonly [Name in Optional]: LlamaServerOptions[Name] | undefined
}

export function withDefaults(options: LlamaServerOptions): Settings {
  return {
    context: undefined,
    adapter: undefined,
    mmproj: undefined,
    scale: 1,
    adapters: [],
    slots: 4,
    threads: Math.max(1, availableParallelism() - 1),
    queue: 256,
    loadTimeoutMs: 60_000,
    environment: {},
    ...options,
  }
}

/** The same file as the engine in our own process would load it: for reading its header and for its tokenizer. */
export const asLlama = ({ adapter, context, ...settings }: Settings): LlamaSettings =>
  llamaDefaults({
    name: settings.name,
    file: settings.file,
    ...(adapter !== undefined && { adapter }),
    ...(context !== undefined && { context }),
    scale: settings.scale,
    slots: settings.slots,
    loadTimeoutMs: settings.loadTimeoutMs,
    clock: settings.clock,
    log: settings.log,
  })

/** All adapters in the order of their numbers at the server: the one that is always at work comes first. */
export const adaptersOf = ({ adapter, adapters }: Pick<Settings, 'adapter' | 'adapters'>): readonly string[] =>
  adapter === undefined ? adapters : [adapter, ...adapters]

/**
 * The command line. The key is not in it: other users of the machine can read command lines. Adapters start without effect, since every
 * request says which ones it wants. `--no-prefill-assistant`: a last message of the assistant is a turn, not the beginning of a reply.
 * @param context tokens of one request
 */
export function argumentsFor(settings: Settings, context: number): string[] {
  const { file, mmproj, name, slots, threads } = settings
  const adapters = adaptersOf(settings)
  return [
    ...['--model', file, '--alias', name, '--host', '127.0.0.1', '--port', '0'],
    ...['--parallel', `${slots}`, '--ctx-size', `${context * slots}`],
    ...['--threads', `${threads}`, '--threads-batch', `${threads}`],
    ...['--jinja', '--no-prefill-assistant', '--no-webui', '--offline', '--no-slots'],
    ...(mmproj === undefined ? ['--no-mmproj'] : ['--mmproj', mmproj]),
    ...adapters.flatMap(path => ['--lora', csv(path)]),
    ...(adapters.length === 0 ? [] : ['--lora-init-without-apply']),
  ]
}

/** The value of `--lora` is a row of comma-separated values. */
const csv = (text: string) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
