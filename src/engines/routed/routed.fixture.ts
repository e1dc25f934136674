import { setImmediate as turn } from 'node:timers/promises'
import { testCall } from '../../../test/hostile/sinks.ts'
import { silentLog } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import { manualTime } from '../../lib/timers.ts'
import type { Call, Engine, Relayed, Sink } from '../engine.ts'
import { type RoutedTarget, type RouterOptions, routedEngine } from './index.ts'

/** What a target does with the next requests: a reply of so many tokens, a fault, or whatever the test wants. */
export type Answer = 'ok' | Error | ((call: Call) => Promise<Relayed>)

export interface TestTarget {
  readonly target: RoutedTarget
  /** The last one stays. */
  answers: Answer[]
  /** Requests so far. */
  readonly asked: { request: object; call: Call }[]
}

/** A target that does as it is told. It spends 5 tokens on the prompt before it answers, and 7 on the reply. */
export function testTarget(name: string, more: Partial<RoutedTarget> = {}): TestTarget {
  const asked: TestTarget['asked'] = []
  const engine: Engine = {
    name: 'm',
    abilities: new Set(['chat']),
    accepts: 'everything',
    async *chat() {},
    async relay(_path, request, call) {
      asked.push({ request, call })
      call.meter.input(5, 1)
      const answer = self.answers.length > 1 ? self.answers.shift()! : self.answers[0]!
      if (answer instanceof Error) throw answer
      if (answer !== 'ok') return answer(call)
      call.meter.output(7)
      return { kind: 'json', bytes: Buffer.from(name) }
    },
    status: () => ({ state: 'ready' }),
    close: async () => {},
  }
  const self: TestTarget = { target: { engine, upstream: name, model: 'm', ...more }, answers: ['ok'], asked }
  return self
}

/** A routed model over such targets, with time that stands still. */
export function testRoute(targets: readonly TestTarget[], more: Partial<RouterOptions> = {}) {
  const time = manualTime()
  const engine = routedEngine({
    name: 'm',
    targets: targets.map(({ target }) => target),
    ...{ clock: time, timers: time, random: seededRandom(5), log: silentLog },
    ...more,
  })
  const ask = async (request: object = {}, call: Call = testCall()): Promise<string> => {
    const reply = await engine.relay!('/chat/completions', request, call)
    if (reply.kind === 'json') return reply.bytes.toString()
    let text = ''
    const sink: Sink = {
      write: bytes => {
        text += Buffer.from(bytes).toString()
        return true
      },
      drained: () => {},
    }
    await reply.pipe(sink)
    return text
  }
  return { engine, time, ask }
}

/** Lets everything happen that is not waiting for time. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) await turn()
}

/** Moves time on until this is over. */
export async function passing<Value>(time: { advance(ms: number): void }, value: Promise<Value>): Promise<Value> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  value.then(over, over)
  for (let step = 0; step < 1000 && !isOver; step++) {
    await settled()
    if (!isOver) time.advance(50)
  }
  return value
}
