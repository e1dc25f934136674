import type { Acting } from '../people/acting.ts'
import type { Shown } from '../vault/kept.ts'
import type { RouteConfig } from './settings.ts'

/** A model that upstreams answer for. Another object after each change of it. */
export interface Route {
  /** As clients call it. */
  readonly model: string
  /** `file`: of parlance.yaml, and changed there. `store`: it was added to the running server. */
  readonly source: 'file' | 'store'
  /** With its secrets; without them where `problem` says that they cannot be read. */
  readonly settings: RouteConfig
  /** The same for people to see: each secret is shortened. */
  readonly shown: Shown
  /** Unix milliseconds; null: it is in the file. */
  readonly createdAt: number | null
  /** Why it cannot be used, in words for the operator. */
  readonly problem?: string
}

/** Routes as the models see them. */
export interface Routes {
  /** Those of the file, then those that were added, the oldest first. */
  list(): readonly Route[]
  find(model: string): Route | undefined
  /** @throws Fault 404 */
  get(model: string): Route
  /** Those that were added, by model: without those that the file has a model or an alias for. */
  current(): ReadonlyMap<string, Route>
  /** Calls the listener with the models of those that have come, changed or gone. @returns what ends it */
  changed(listener: (models: ReadonlySet<string>) => void): () => void
}

/** Fields by their names in the settings; null takes one away. */
export type RouteChanges = Readonly<Record<string, unknown>>

/** Routes with what changes them. */
export interface RouteBook extends Routes {
  /** Why it cannot be called; undefined: nothing is known against it. */
  problemOf(route: Route): string | undefined
  /** @throws Fault 400 for settings that cannot be used, 409 `name_in_use`, 500 `secrets_unavailable` */
  create(acting: Acting, model: string, settings: RouteChanges): Promise<Route>
  /** @throws Fault 400, 404; 409 for one of the file, for secrets that cannot be read, and for a change at the same time */
  update(acting: Acting, model: string, changes: RouteChanges): Promise<Route>
  /** @throws Fault 404; 409 for one of the file, and `route_in_use` while an alias of the file leads to it */
  remove(acting: Acting, model: string): Promise<void>
  /** Reads them anew if another process has changed them. */
  look(): Promise<void>
  /** From then on nobody is told of changes. */
  close(): void
}
