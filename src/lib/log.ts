/** Structured log lines. Values must never hold a key, a prompt or a reply. */
export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

export type LogFields = Record<string, string | number | boolean | null | undefined>

/** One JSON object a line, to any writer (standard error in the product). */
export function jsonLog(write: (line: string) => void, now: () => number): Log {
  const line =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, event, ...fields })}\n`)
  return { info: line('info'), warn: line('warn'), error: line('error') }
}

/** For tests that do not look at the log. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }

/** The chain of causes of an error as one line without values of requests: names and messages of our own and of Node's errors. */
export function describe(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 5; ) {
    parts.push(at instanceof Error ? `${at.name}: ${at.message}` : typeof at)
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(' <- ').slice(0, 2000)
}
