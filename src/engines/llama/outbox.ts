import type { Event, FromChild } from './protocol.ts'

export type Send = (message: FromChild, sent?: () => void) => void

/** Gathers the events of a step into one message. While one is on its way the next ones wait and become one, so nothing piles up in the channel. */
export class Outbox {
  readonly #send: Send
  #events: Event[] = []
  #sending = false

  constructor(send: Send) {
    this.#send = send
  }

  /** Texts of one choice that would travel together become one. */
  add(event: Event): void {
    const last = this.#events.findLastIndex(({ id, choice }) => id === event.id && choice === event.choice)
    const before = this.#events[last]
    if (before?.kind === 'text' && (event.kind === 'text' || event.kind === 'end')) {
      const told = before.likely !== undefined || event.likely !== undefined
      const likely = [...(before.likely ?? []), ...(event.likely ?? [])]
      this.#events[last] = { ...event, text: before.text + event.text, ...(told && { likely }) }
    } else this.#events.push(event)
  }

  drop(request: number): void {
    this.#events = this.#events.filter(({ id }) => id !== request)
  }

  flush(): void {
    if (this.#sending || this.#events.length === 0) return
    this.#sending = true
    const events = this.#events
    this.#events = []
    this.#send({ type: 'cycle', events }, () => {
      this.#sending = false
      this.flush()
    })
  }
}
