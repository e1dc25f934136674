import type { Caller } from '../access.ts'

/** What a request asks of the limits. */
export interface Asked {
  /** Tokens that it will probably use: its input, and what it asks for at most as output. */
  tokens: number
  images: number
}

/** A request that was let in. */
export interface Admission {
  /** Of the reply: `x-ratelimit-…` names and values by turns, of the limits that are closest. */
  readonly headers: readonly string[]
  /** Called exactly once, when the request has ended: what it really used takes the place of what was asked. */
  settle(used: Asked): void
}

export interface Limits {
  /**
   * Checks every limit that concerns this request (organisation, project, key; per model) and takes from all of them, or from none.
   * @param asked made only when there is a limit at all
   * @returns undefined when no limit concerns it
   * @throws Fault 429 `rate_limit_exceeded` with `retry-after`, `retry-after-ms` and the `x-ratelimit-…` headers
   */
  admit(caller: Caller, model: string, asked: () => Asked): Admission | undefined
  /** Rows were changed: read them anew. */
  changed(): Promise<void>
  close(): void
}
