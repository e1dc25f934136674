/**
 * What is going on right now, for a Set whose members come and go with every request. A Set makes a new table again and again, and each
 * old table keeps pointing at the next one and at its members: once one of them has become old, all that come after look alive to the
 * collector of young objects, which then copies them in vain. Here a place that was left is simply taken again.
 */
export class Slots<Item extends object> {
  readonly #items: (Item | undefined)[] = []
  readonly #free: number[] = []

  /** Returns the place of the item, for `leave`. */
  enter(item: Item): number {
    const place = this.#free.pop() ?? this.#items.length
    this.#items[place] = item
    return place
  }

  /** Once for each `enter`. */
  leave(place: number): void {
    if (this.#items[place] === undefined) throw new RangeError(`Nothing is in place ${place}.`)
    this.#items[place] = undefined
    this.#free.push(place)
  }

  get isEmpty(): boolean {
    return this.#free.length === this.#items.length
  }

  /** All that are there now, in no order; they may leave meanwhile. */
  all(): Item[] {
    return this.#items.filter(item => item !== undefined)
  }
}
