import assert from 'node:assert/strict'
import type { Call, Engine, EngineStatus } from '../../engines/engine.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import { manualTime } from '../../lib/timers.ts'
import { makeResidency, type ResidencyOptions } from './index.ts'

interface Script {
  /** What it takes; a number is known beforehand. */
  size?: number
  /** undefined: nothing can be told. */
  estimate?: number | undefined
  idleMs?: number
  /** Loading, unloading or both wait for `let(…)`. */
  slow?: ('load' | 'unload')[]
  fails?: Fault
}

/** Models that do what they are told, under one budget. */
export function house(budgetBytes: number, options: Partial<ResidencyOptions> = {}) {
  const time = manualTime()
  const told: string[] = []
  const residency = makeResidency({
    budgetBytes,
    idleMs: 60_000,
    waitMs: 30_000,
    patienceMs: 5000,
    ...options,
    ...{ clock: time, timers: time, log: silentLog },
  })
  const model = (name: string, script: Script = {}) => {
    const { size = 10, idleMs, slow = [] } = script
    const estimate = 'estimate' in script ? script.estimate : size
    const gates = new Map<string, () => void>()
    const status: { state: EngineStatus['state']; bytes: number } = { state: 'idle', bytes: 0 }
    const passed = async (gate: 'load' | 'unload') => {
      if (slow.includes(gate)) await new Promise<void>(resolve => gates.set(gate, resolve))
    }
    const inner: Engine = {
      ...scriptedEngine({ name }),
      name,
      abilities: new Set(['chat', 'embed']),
      accepts: 'known',
      chat: (request, call) => scriptedEngine({ name }).chat!(request, call),
      embed: (request, call) => scriptedEngine({ name }).embed!(request, call),
      status: () => ({ state: status.state }),
      resident: {
        estimateBytes: async () => estimate,
        bytes: () => status.bytes,
        async load() {
          told.push(`load ${name}`)
          status.state = 'loading'
          await passed('load')
          if (script.fails !== undefined) {
            status.state = 'failed'
            throw script.fails
          }
          Object.assign(status, { state: 'ready', bytes: size })
        },
        async unload() {
          told.push(`unload ${name}`)
          status.state = 'idle'
          await passed('unload')
          status.bytes = 0
        },
      },
      async close() {
        told.push(`close ${name}`)
        Object.assign(status, { state: 'closed', bytes: 0 })
      },
    }
    const engine = residency.hold(inner, idleMs === undefined ? {} : { idleMs })
    return {
      engine,
      status,
      /** Begins a request; `reading` is there when it runs. */
      begin(signal = new AbortController().signal) {
        const call = callWith(signal)
        const iterator = engine.chat!({ model: name, messages: [{ role: 'user', content: 'Hi' }] }, call)[
          Symbol.asyncIterator
        ]()
        return { first: iterator.next(), end: () => iterator.return!() }
      },
      /** A whole request. */
      async use() {
        const { first, end } = this.begin()
        await first
        await end()
      },
      /** Lets what is slow go on. */
      let(gate: 'load' | 'unload') {
        assert.ok(gates.has(gate), `${name} is not at ${gate}`)
        gates.get(gate)?.()
        gates.delete(gate)
      },
    }
  }
  const state = (engine: Engine) => residency.stateOf(engine)
  return { model, told, time, residency, state }
}

export const callWith = (signal: AbortSignal): Call => ({
  id: 'chatcmpl-1',
  created: 1,
  signal,
  log: silentLog,
  seed: 1,
  meter: { input() {}, output() {} },
})

export const isFault = (status: number, code: string, says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.code], [status, code])
  assert.match(error.message, says)
  return true
}

/** A model of the house. */
export type Model = ReturnType<ReturnType<typeof house>['model']>
