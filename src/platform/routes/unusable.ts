import type { Engine } from '../../engines/engine.ts'
import { Fault } from '../../lib/faults.ts'
import { everyAbility } from './targets.ts'

/** The engine, or one that answers every request with the fault that making it met: the other targets of a model go on without it. */
export function orUnusable(name: string, make: () => Engine): Engine {
  try {
    return make()
  } catch (error) {
    if (error instanceof Fault) return unusable(name, error)
    throw error
  }
}

function unusable(name: string, fault: Fault): Engine {
  const refuse = () => Promise.reject(fault)
  return {
    name,
    abilities: everyAbility,
    accepts: 'everything',
    chat: refusing(fault),
    complete: refusing(fault),
    embed: refuse,
    relay: refuse,
    status: () => ({ state: 'failed', detail: fault.message }),
    close: () => Promise.resolve(),
  }
}

const refusing = (fault: Fault) => () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(fault) }) })
