import type { EndEvent, Event } from './protocol.ts'

/** Of the choices of each prompt, passes on those with the highest mean logprob per token, best first. */
export class Best {
  readonly #choices: number
  readonly #kept: number
  /** By choice: its events, until all choices of its prompt have ended. */
  readonly #events = new Map<number, Event[]>()
  /** By prompt. */
  readonly #ends = new Map<number, EndEvent[]>()

  /** @param choices generated for each prompt @param kept passed on, under the indexes from 0 on */
  constructor(choices: number, kept: number) {
    this.#choices = choices
    this.#kept = kept
  }

  /** Takes an event and gives those that may now be passed on. */
  take(event: Event): Event[] {
    const prompt = Math.floor(event.choice / this.#choices)
    const events = this.#events.get(event.choice) ?? []
    events.push(event)
    this.#events.set(event.choice, events)
    if (event.kind !== 'end') return []
    const ends = this.#ends.get(prompt) ?? []
    ends.push(event)
    this.#ends.set(prompt, ends)
    return ends.length < this.#choices ? [] : this.#winners(prompt, ends)
  }

  #winners(prompt: number, ends: readonly EndEvent[]): Event[] {
    const ranked = ends.toSorted((a, b) => mean(b) - mean(a) || a.choice - b.choice).slice(0, this.#kept)
    return ranked.flatMap(({ choice }, rank) =>
      (this.#events.get(choice) ?? []).map(event => ({ ...event, choice: prompt * this.#kept + rank })),
    )
  }
}

const mean = ({ mean = Number.NEGATIVE_INFINITY }: EndEvent) => mean
