import type { Engine } from '../../engines/engine.ts'
import type { UpstreamPool } from '../../engines/upstream/index.ts'
import type { UpstreamConfig } from '../../engines/upstream/settings.ts'
import type { Acting } from '../people/acting.ts'
import type { Shown } from '../vault/kept.ts'

/** One upstream of this server. Another object after each change of it. */
export interface Upstream {
  readonly name: string
  /** `file`: of parlance.yaml, and changed there. `store`: it was added to the running server. */
  readonly source: 'file' | 'store'
  /** With its secrets; without them where `problem` says that they cannot be read. */
  readonly settings: UpstreamConfig
  /** The same for people to see: each secret is shortened. */
  readonly shown: Shown
  /** Unix milliseconds; null: it is in the file. */
  readonly createdAt: number | null
  /** Why it cannot be used, in words for the operator. */
  readonly problem?: string
}

export type HealthState = 'unknown' | 'ready' | 'failed'

export interface Health {
  readonly state: HealthState
  /** When somebody looked last, in unix milliseconds. */
  readonly checkedAt: number | null
  readonly latencyMs: number | null
  /** What is wrong, in words for the operator. */
  readonly detail: string | null
}

/** What was found out about an upstream. It is forgotten when its settings change. */
export interface Findings {
  readonly health: Health
  /** The names of its models, as it listed them last; null: nobody knows them. */
  readonly models: readonly string[] | null
}

/** A way to an upstream beside the engines of models, for an errand. */
export interface Line {
  readonly upstream: Upstream
  readonly pool: UpstreamPool
  /**
   * Where tokens are got for it: the header that carries one, its name and value.
   * @throws Error in words for the operator when there is none; the reason of the signal
   */
  credentials?(signal: AbortSignal): Promise<readonly string[]>
  /** An engine for one of its models, which ends with the line. @throws TypeError for settings that cannot be used */
  engine(model: string): Engine
  /** Gives its connections back; those that nobody stands on any more are closed. */
  close(): Promise<void>
}

/** Upstreams as whoever asks them sees them. */
export interface Upstreams {
  /** Those of the file, then those that were added, the oldest first. */
  list(): readonly Upstream[]
  find(name: string): Upstream | undefined
  /** @throws Fault 404 */
  get(name: string): Upstream
  /** Calls the listener with the names of those that have come, changed or gone. @returns what ends it */
  changed(listener: (names: ReadonlySet<string>) => void): () => void
  /** @throws Fault 404; 503 `upstream_unusable` */
  line(name: string): Line
  /** What is known of it; one with a problem has failed. */
  findings(name: string): Findings
  /** Adds to what is known; nothing happens when it has been changed meanwhile. */
  note(upstream: Upstream, news: Partial<Findings>): void
}

/** Fields by their names in the settings; null takes one away. */
export type UpstreamChanges = Readonly<Record<string, unknown>>

/** Upstreams with what changes them. */
export interface UpstreamBook extends Upstreams {
  /** @throws Fault 400 for settings that cannot be used, 409 `name_in_use`, 500 `secrets_unavailable` */
  create(acting: Acting, name: string, settings: UpstreamChanges): Promise<Upstream>
  /** @throws Fault 400, 404; 409 for one of the file, for secrets that cannot be read, and for a change at the same time */
  update(acting: Acting, name: string, changes: UpstreamChanges): Promise<Upstream>
  /** @throws Fault 404; 409 for one of the file, and `upstream_in_use` while routes stand on it */
  remove(acting: Acting, name: string): Promise<void>
  /** Reads them anew if another process has changed them. */
  look(): Promise<void>
  /** From then on nobody is told of changes. */
  close(): void
}
