import { Fault } from '../lib/faults.ts'
import type { Route, Tried } from './engine.ts'

/** Asks an upstream, and writes into the route that it was asked and what came of it, where somebody wants to know. */
export function noted<Reply>(route: Route | undefined, upstream: string, ask: () => Promise<Reply>): Promise<Reply> {
  return route === undefined ? ask() : watched(route, upstream, ask)
}

async function watched<Reply>(route: Route, upstream: string, ask: () => Promise<Reply>): Promise<Reply> {
  const startedMs = performance.now()
  const tried: Tried = { upstream }
  route.tried.push(tried)
  try {
    const reply = await ask()
    tried.outcome = 'ok'
    return reply
  } catch (error) {
    if (error instanceof Fault) tried.status = error.status
    tried.outcome = error instanceof Fault ? (error.code ?? 'failed') : 'left'
    throw error
  } finally {
    tried.ms = Math.round(performance.now() - startedMs)
  }
}
