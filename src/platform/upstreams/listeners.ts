/** Those who want to know which names have come, changed or gone. */
export class Listeners {
  readonly #all = new Set<(names: ReadonlySet<string>) => void>()

  /** @returns what ends it */
  add(listener: (names: ReadonlySet<string>) => void): () => void {
    this.#all.add(listener)
    return () => this.#all.delete(listener)
  }

  tell(names: ReadonlySet<string>): void {
    for (const listener of [...this.#all]) listener(names)
  }
}
