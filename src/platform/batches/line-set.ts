/** Numbers of lines, a bit for each. */
export class LineSet {
  readonly #bits: Uint8Array

  constructor(most: number) {
    this.#bits = new Uint8Array((most >> 3) + 1)
  }

  has(line: number): boolean {
    return ((this.#bits[line >> 3] ?? 0) & (1 << (line & 7))) !== 0
  }

  /** @returns false when it was there already. @throws RangeError for a line beyond the last one */
  add(line: number): boolean {
    const at = line >> 3
    const before = this.#bits[at]
    if (before === undefined || line < 0) throw new RangeError(`There is no line ${line}.`)
    this.#bits[at] = before | (1 << (line & 7))
    return (before & (1 << (line & 7))) === 0
  }
}
