/** Structured log lines. Values must never hold a key, a prompt or a reply. */
export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

type Scalar = string | number | boolean | null | undefined

export type LogFields = Record<string, Scalar | readonly Record<string, Scalar>[]>

/** Warnings and errors of one event per second; what is beyond is counted and told with the next line of that event. */
const perSecondMax = 20
/** Events that are counted at once. Their names are ours, so this is far above what there is. */
const eventsMax = 1000

/**
 * One JSON object a line, to any writer (standard error in the product). A fault that repeats does not flood the log: an upstream
 * that dies under a thousand streams is twenty lines and a number.
 */
export function jsonLog(write: (line: string) => void, now: () => number): Log {
  const windows = new Map<string, { second: number; lines: number; suppressed: number }>()

  const admitted = (event: string, nowMs: number): { suppressed: number } | undefined => {
    const second = Math.floor(nowMs / 1000)
    const window = windows.get(event)
    if (window === undefined || window.second !== second) {
      if (windows.size >= eventsMax) windows.clear()
      windows.set(event, { second, lines: 1, suppressed: 0 })
      return { suppressed: window?.suppressed ?? 0 }
    }
    if (window.lines++ < perSecondMax) return { suppressed: 0 }
    window.suppressed++
    return undefined
  }

  const line =
    (level: 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}) => {
      const nowMs = now()
      const place = level === 'info' ? { suppressed: 0 } : admitted(event, nowMs)
      if (place === undefined) return
      const more = place.suppressed > 0 ? { suppressed: place.suppressed } : {}
      write(`${JSON.stringify({ time: new Date(nowMs).toISOString(), level, event, ...fields, ...more })}\n`)
    }
  return { info: line('info'), warn: line('warn'), error: line('error') }
}

/** For tests that do not look at the log. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }

/** The chain of causes of an error as one line: names and messages of our own and of Node's errors, no values of requests. */
export function describe(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 5; ) {
    parts.push(at instanceof Error ? `${at.name}: ${at.message}` : typeof at)
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(' <- ').slice(0, 2000)
}
