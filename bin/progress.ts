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
    if (this.#shown) process.stderr.write('\r\x1b[K')
  }

  #show(): void {
    const elapsedMs = performance.now() - this.#startedMs
    if (elapsedMs < silentMs) return
    this.#shown = true
    process.stderr.write(`\r\x1b[K${this.#says(elapsedMs)}`)
  }
}

const silentMs = 2000

/** `12.3 of 45.6 MB, 27 %, 3 s left`; how long it took so far where the total is not known, or all is read. */
export function howFar(done: number, total: number | undefined, elapsedMs: number): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  if (total === undefined || done >= total) return `${megabytes(done)} MB, ${Math.round(elapsedMs / 1000)} s`
  const left = done === 0 ? '' : `, ${Math.ceil((elapsedMs * (total - done)) / done / 1000)} s left`
  return `${megabytes(done)} of ${megabytes(total)} MB, ${Math.floor((100 * done) / total)} %${left}`
}
