import type { KeptRow } from './kept.ts'

/** A row that changes `updated_at` with everything else. */
export interface ShelfRow extends KeptRow {
  readonly updated_at: number
}

/** What was read from a table last: an item is the same object as long as its row is the same. */
export class Shelf<Row extends ShelfRow, Item> {
  items: ReadonlyMap<string, Item> = new Map()
  rows: ReadonlyMap<string, Row> = new Map()
  readonly #nameOf: (row: Row) => string
  readonly #read: (row: Row) => Item | undefined

  /** @param read undefined for a row that counts as none */
  constructor(nameOf: (row: Row) => string, read: (row: Row) => Item | undefined) {
    this.#nameOf = nameOf
    this.#read = read
  }

  /** @returns the names of items that have come, changed or gone */
  fill(rows: readonly Row[]): ReadonlySet<string> {
    const { items: before, rows: rowsBefore } = this
    const next = new Map<string, Item>()
    for (const row of rows) {
      const name = this.#nameOf(row)
      const item = isSame(rowsBefore.get(name), row) ? before.get(name) : this.#read(row)
      if (item !== undefined) next.set(name, item)
    }
    this.items = next
    this.rows = new Map(rows.map(row => [this.#nameOf(row), row]))
    return new Set([...before.keys(), ...next.keys()].filter(name => before.get(name) !== next.get(name)))
  }
}

const isSame = (before: ShelfRow | undefined, row: ShelfRow): boolean =>
  before?.updated_at === row.updated_at && before.secrets === row.secrets && before.settings === row.settings
