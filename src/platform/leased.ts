import { setImmediate as turn } from 'node:timers/promises'
import type { Engine } from '../engines/engine.ts'
import { held } from './residency/held.ts'

/** An engine that can be left to its last requests. */
export interface Leased {
  readonly engine: Engine
  /** Ends the engine after the last request that runs on it. @throws what closing throws */
  retire(): Promise<void>
}

/** Counts the requests that run on an engine, so that it can be replaced under them. */
export function leased(inner: Engine): Leased {
  let running = 0
  let closing: Promise<void> | undefined
  const retired = Promise.withResolvers<void>()
  let isRetired = false
  const close = () => {
    closing ??= inner.close()
    if (isRetired) closing.then(retired.resolve, retired.reject)
    return closing
  }
  const leave = () => {
    running--
    if (isRetired && running === 0) void close()
  }
  const enter = async () => {
    running++
    return true
  }
  return {
    engine: held(inner, { enter, leave, close }),
    retire() {
      if (isRetired) return retired.promise
      isRetired = true
      // Whoever was handed the engine just now begins in this turn.
      running++
      void turn().then(leave)
      return retired.promise
    },
  }
}
