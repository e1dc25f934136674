import type { Event } from './protocol.ts'

/** Events buffered for a slow reader before its request is paused, and when it goes on. */
export const feedBounds = { pauseAt: 256, resumeAt: 64 } as const

/** The events of one request, between the process of the model and the reader of the reply. */
export class Feed {
  readonly #control: (what: 'pause' | 'resume') => void
  #events: Event[] = []
  #failure: Error | undefined
  #closed = false
  #paused = false
  #wake: () => void = () => {}

  /** @param control is told when the reader falls behind, and when it has caught up */
  constructor(control: (what: 'pause' | 'resume') => void) {
    this.#control = control
  }

  push(event: Event): void {
    if (this.#closed) return
    this.#events.push(event)
    if (!this.#paused && this.#events.length > feedBounds.pauseAt) {
      this.#paused = true
      this.#control('pause')
    }
    this.#wake()
  }

  /** What is buffered is still read; then the reader gets the error. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  /** Ends the reading at once, without an error. */
  close(): void {
    this.#closed = true
    this.#events = []
    this.#wake()
  }

  /** The next event; undefined after `close`. @throws the error of `fail` */
  async next(): Promise<Event | undefined> {
    for (;;) {
      if (this.#closed) return undefined
      const event = this.#events.shift()
      if (event !== undefined) {
        if (this.#paused && this.#events.length < feedBounds.resumeAt) {
          this.#paused = false
          this.#control('resume')
        }
        return event
      }
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}
