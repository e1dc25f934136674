/** Sinks and calls for tests of engines that relay. */

import type { Call, Sink } from '../../src/engines/engine.ts'
import type { LogFields } from '../../src/lib/log.ts'

/** Takes everything, remembers each write, and lets a test wait for text. */
export class TextSink implements Sink {
  readonly writes: string[] = []
  #waiting: (() => void)[] = []

  get text(): string {
    return this.writes.join('')
  }

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes).toString())
    for (const wake of this.#waiting.splice(0)) wake()
    return true
  }

  drained(): void {
    throw new Error('This sink never refuses.')
  }

  /** Settles when this text has come. */
  async holds(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise<void>(wake => this.#waiting.push(wake))
  }
}

/** Takes one write, then refuses until the test says so. */
export class StuckSink implements Sink {
  sizeBytes = 0
  text = ''
  #resume: (() => void) | undefined
  #waiting: (() => void) | undefined

  write(bytes: Uint8Array): boolean {
    this.sizeBytes += bytes.length
    this.text = (this.text + Buffer.from(bytes).toString('latin1')).slice(-1000)
    return false
  }

  drained(resume: () => void): void {
    this.#resume = resume
    this.#waiting?.()
  }

  /** Settles when the sink has refused. */
  async refused(): Promise<void> {
    if (this.#resume === undefined)
      await new Promise<void>(wake => {
        this.#waiting = wake
      })
  }

  /** Takes one more write. */
  release(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }
}

export interface TestCall extends Call {
  readonly abort: () => void
  /** The last words of the meter. */
  readonly spent: { input?: number; cached?: number; output?: number }
  /** All log lines as text. */
  readonly logged: string[]
}

export function testCall(): TestCall {
  const controller = new AbortController()
  const spent: TestCall['spent'] = {}
  const logged: string[] = []
  const line = (event: string, fields?: LogFields) => void logged.push(JSON.stringify({ event, ...fields }))
  return {
    id: 'chatcmpl-call',
    created: 1_700_000_000,
    signal: controller.signal,
    seed: 1,
    log: { info: line, warn: line, error: line },
    meter: {
      input(tokens, cachedTokens) {
        spent.input = tokens
        if (cachedTokens !== undefined) spent.cached = cachedTokens
      },
      output(tokens) {
        spent.output = tokens
      },
    },
    abort: () => controller.abort(),
    spent,
    logged,
  }
}
