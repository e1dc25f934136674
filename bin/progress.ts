/** How far a long task is, on one line of standard error that goes away at its end. Nothing where nobody watches. */
export class Progress {
  readonly #startedMs: number
  readonly #says: (elapsedMs: number) => string
  #timer: NodeJS.Timeout | undefined
  #shown = false

  /** @param says the line, given the time since the start; asked four times a second after the first two seconds */
  constructor(says: (elapsedMs: number) => string) {
    this.#says = says
    this.#startedMs = performance.now()
    if (process.stderr.isTTY) this.#timer = setInterval(() => this.#show(), 250)
  }

  end(): void {
    clearInterval(this.#timer)
    this.#clear()
  }

  /** A line that stays, above the one that moves. */
  note(sentence: string): void {
    this.#clear()
    process.stderr.write(`${sentence}\n`)
  }

  #clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K')
    this.#shown = false
  }

  #show(): void {
    const elapsedMs = performance.now() - this.#startedMs
    if (elapsedMs < silentMs) return
    this.#shown = true
    process.stderr.write(`\r\x1b[K${this.#says(elapsedMs)}`)
  }
}

/** The same where nobody watches, for a log: a line for every tenth of the way. */
export class Lines {
  #tenths = 0
  readonly #amount: (total: number) => string

  /** @param amount of what there is in all */
  constructor(amount: (total: number) => string = total => `${(total / 1e6).toFixed(1)} MB`) {
    this.#amount = amount
  }

  note(sentence: string): void {
    process.stderr.write(`${sentence}\n`)
  }

  reached(done: number, total: number): void {
    const tenths = Math.floor((10 * done) / total)
    if (tenths > this.#tenths) this.note(`${tenths * 10} % of ${this.#amount(total)}`)
    this.#tenths = tenths
  }

  end(): void {}
}

const silentMs = 2000

/** `12.3 of 45.6 MB, 27 %, 4.1 MB/s, 8 s left`. What was there `before` does not count for the speed. */
export function howFast({ done, total, before, elapsedMs }: HowFast): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  const perMs = elapsedMs > 0 ? (done - before) / elapsedMs : 0
  const left = perMs > 0 ? `, ${inTime((total - done) / perMs)} left` : ''
  return `${megabytes(done)} of ${megabytes(total)} MB, ${Math.floor((100 * done) / total)} %, ${megabytes(perMs * 1000)} MB/s${left}`
}

/** The same for things that are counted: `1200 of 5000 requests, 24 %, 41.5 requests/s, 1 min 32 s left`. */
export function howMany(things: string, { done, total, before, elapsedMs }: HowFast): string {
  const perMs = elapsedMs > 0 ? (done - before) / elapsedMs : 0
  const left = perMs > 0 && done < total ? `, ${inTime((total - done) / perMs)} left` : ''
  const percent = total > 0 ? Math.floor((100 * done) / total) : 0
  return `${done} of ${total} ${things}, ${percent} %, ${(perMs * 1000).toFixed(1)} ${things}/s${left}`
}

interface HowFast {
  done: number
  total: number
  before: number
  elapsedMs: number
}

/** `8 s`, `3 min 20 s`, `2 h 5 min`. */
function inTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** `12.3 of 45.6 MB, 27 %, 3 s left`; how long it took so far where the total is not known, or all is read. */
export function howFar(done: number, total: number | undefined, elapsedMs: number): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  if (total === undefined || done >= total) return `${megabytes(done)} MB, ${Math.round(elapsedMs / 1000)} s`
  const left = done === 0 ? '' : `, ${Math.ceil((elapsedMs * (total - done)) / done / 1000)} s left`
  return `${megabytes(done)} of ${megabytes(total)} MB, ${Math.floor((100 * done) / total)} %${left}`
}
