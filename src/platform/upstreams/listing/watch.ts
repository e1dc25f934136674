import type { Clock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import type { Timers } from '../../../lib/timers.ts'
import { failed, ready, unlisted, waitMs } from '../health/state.ts'
import type { Health, Upstream, Upstreams } from '../types.ts'
import { doorOf } from './door.ts'
import { whereOf } from './kept.ts'
import { type ListRead, readModels } from './read.ts'
import { whyUnusable } from './words.ts'

export interface UpstreamWatch {
  /** From now on every upstream is looked at, soon and then again and again. Waits for nothing. */
  start(): void
  /** Ends what is being looked at. */
  close(): Promise<void>
}

export interface WatchOptions {
  upstreams: Upstreams
  clock: Clock
  timers: Timers
  random: Random
  log: Log
  /** Is told the models of an upstream after they have changed. */
  learned?(upstream: Upstream, models: readonly string[]): void
}

const usualEveryMs = 600_000
/** After the start: by then it serves. */
const firstWithinMs = 2000
/** Looked at side by side. */
const atOnceMax = 8
/** When so many are being looked at already. */
const laterMs = 500

export function watchUpstreams(options: WatchOptions): UpstreamWatch {
  return new Watch(options)
}

interface Watched {
  readonly upstream: Upstream
  failures: number
  /** As last told to `learned`. */
  models: readonly string[] | null
  stop(): void
}

class Watch implements UpstreamWatch {
  readonly #options: WatchOptions
  readonly #watched = new Map<string, Watched>()
  readonly #ending = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  #stopListening = () => {}

  constructor(options: WatchOptions) {
    this.#options = options
  }

  start(): void {
    const { upstreams, random } = this.#options
    this.#stopListening = upstreams.changed(names => {
      for (const name of names) this.#watch(name, 0)
    })
    for (const { name } of upstreams.list()) this.#watch(name, waitMs(firstWithinMs / 2, 0, random.uint32()))
  }

  async close(): Promise<void> {
    this.#stopListening()
    for (const { stop } of this.#watched.values()) stop()
    this.#watched.clear()
    this.#ending.abort()
    await Promise.all(this.#running)
  }

  #watch(name: string, delayMs: number): void {
    const { upstreams } = this.#options
    const before = this.#watched.get(name)
    before?.stop()
    this.#watched.delete(name)
    const upstream = upstreams.find(name)
    // Other settings of the same server: it still has its models.
    if (upstream !== undefined && before?.models && whereOf(before.upstream) === whereOf(upstream))
      upstreams.note(upstream, { models: before.models })
    if (upstream === undefined || upstream.problem !== undefined || everyMs(upstream) === 0) return
    const watched: Watched = { upstream, failures: 0, models: upstreams.findings(name).models, stop: () => {} }
    this.#watched.set(name, watched)
    this.#schedule(watched, delayMs)
  }

  #schedule(watched: Watched, delayMs: number): void {
    watched.stop = this.#options.timers.after(delayMs, () => {
      if (this.#running.size >= atOnceMax) return this.#schedule(watched, laterMs)
      const looking = this.#again(watched)
      this.#running.add(looking)
      void looking.finally(() => this.#running.delete(looking))
    })
  }

  /** Never rejects. */
  async #again(watched: Watched): Promise<void> {
    const { upstream } = watched
    const { upstreams, random, clock } = this.#options
    if (upstreams.find(upstream.name) !== upstream) return // `changed` looks after the one that took its place
    try {
      const read = await this.#read(upstream, this.#ending.signal)
      if (this.#ending.signal.aborted) return
      this.#tell(watched, read)
      watched.failures = upstreams.findings(upstream.name).health.state === 'failed' ? watched.failures + 1 : 0
    } catch (error) {
      watched.failures++
      const { health } = upstreams.findings(upstream.name)
      upstreams.note(upstream, { health: failed(health, clock.now(), whyUnusable(error)) })
    }
    if (this.#watched.get(upstream.name) === watched)
      this.#schedule(watched, waitMs(everyMs(upstream), watched.failures, random.uint32()))
  }

  async #read(upstream: Upstream, signal: AbortSignal): Promise<ListRead> {
    const { upstreams, clock, timers } = this.#options
    const line = upstreams.line(upstream.name)
    try {
      return await readModels(await doorOf(line, signal), { clock, timers, signal })
    } finally {
      await line.close()
    }
  }

  #tell(watched: Watched, read: ListRead): void {
    const { upstreams, clock, log, learned } = this.#options
    const { upstream } = watched
    const before = upstreams.findings(upstream.name).health
    noteRead(upstreams, upstream, read, clock.now())
    const { health, models } = upstreams.findings(upstream.name)
    if (models !== null && models !== watched.models) learned?.(upstream, models)
    watched.models = models
    if (health.state !== before.state)
      log.info('upstream.health', { upstream: upstream.name, state: health.state, detail: health.detail })
  }
}

/** Tells what reading a list came to. A list that could not be read leaves the last one as it was. */
export function noteRead(
  upstreams: Pick<Upstreams, 'findings' | 'note'>,
  upstream: Upstream,
  read: ListRead,
  nowMs: number,
): void {
  const before = upstreams.findings(upstream.name)
  const health = healthOf(before.health, nowMs, read)
  const isNew = 'models' in read && read.callable && !sameNames(before.models, read.models)
  upstreams.note(upstream, { health, ...(isNew && { models: read.models }) })
}

const everyMs = ({ settings }: Upstream): number => settings.models_refresh_ms ?? usualEveryMs

function healthOf(before: Health, nowMs: number, read: ListRead): Health {
  if ('models' in read) return ready(before, nowMs, read.ms)
  const { stage, detail } = read.trouble
  return stage === 'list' ? unlisted(before, nowMs, detail) : failed(before, nowMs, detail)
}

const sameNames = (one: readonly string[] | null, other: readonly string[]): boolean =>
  one !== null && one.length === other.length && one.every((name, place) => name === other[place])
