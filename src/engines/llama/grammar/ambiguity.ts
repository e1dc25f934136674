import { type Budget, limits } from './limits.ts'
import { type ArrayShape, type Child, canonical, type ObjectShape, type Shape } from './shapes.ts'
import { refuse, type Spot } from './spot.ts'

/** A place in the schemas, and what may stand there. */
export interface Choices {
  readonly shapes: readonly Shape[]
}

/**
 * Refuses schemas that would make llama.cpp follow too many readings of the same text at once. It keeps every reading that is still
 * possible: alternatives that begin alike, inside alternatives that begin alike, multiply, and where they repeat inside themselves
 * thirty levels of text make a thousand million readings. Alternatives are told apart by a property that both require and whose
 * constant values differ, or by the names of the required properties they begin with.
 *
 * @throws fault.invalidValue
 */
export function checkReadings<C extends Choices>(
  places: readonly C[],
  placeOf: (child: Child) => C,
  budget: Budget,
  spot: Spot,
): void {
  const steps = new Map(places.map(place => [place, together(place, placeOf, budget, spot)]))
  const loops = components(places, place => (steps.get(place) ?? []).flat())
  const readings = new Map<C, number>()
  for (const { members } of loops) {
    const inside = new Set(members)
    let most = 1
    for (const place of members) {
      most = Math.max(most, place.shapes.length)
      for (const next of steps.get(place) ?? []) {
        budget.spend(next.length, spot)
        if (next.filter(one => inside.has(one)).length > 1)
          refuse(
            spot,
            'alternatives that contain themselves begin alike. Give them a first property that is required and has a different constant value in each.',
          )
        most = Math.max(
          most,
          next.reduce((sum, one) => sum + (readings.get(one) ?? 1), 0),
        )
      }
    }
    if (most > limits.readings) refuse(spot, 'there are too many alternatives that begin alike.')
    for (const place of members) readings.set(place, most)
  }
}

/** Lists of places below that can be read at the same time. */
function together<C>(place: Choices, placeOf: (child: Child) => C, budget: Budget, spot: Spot): C[][] {
  const arrays = place.shapes.filter(shape => shape.kind === 'array')
  const objects = place.shapes.filter(shape => shape.kind === 'object').map(shape => new Members(shape))
  const slots = Math.max(0, ...arrays.map(({ prefix }) => prefix.length + 1))
  const lists = Array.from({ length: slots }, (_, i) => arrays.map(array => placeOf(itemAt(array, i))))
  const names = new Set<string | undefined>([undefined, ...objects.flatMap(({ byName }) => [...byName.keys()])])
  for (const name of names) {
    const having = objects.flatMap(object => {
      const child = object.child(name)
      return child === undefined ? [] : [{ object, child }]
    })
    for (const { object, child } of having) {
      budget.spend(having.length, spot)
      const alike = having.filter(other => other.object !== object && !object.differs(other.object, name))
      lists.push([child, ...alike.map(other => other.child)].map(placeOf))
    }
  }
  return lists
}

const itemAt = ({ prefix, rest }: ArrayShape, index: number) => prefix[index] ?? rest

/** The properties of an object, in their order. */
class Members {
  readonly byName: ReadonlyMap<string, { index: number; required: boolean; child: Child }>
  private readonly shape: ObjectShape
  private readonly names: readonly string[]
  private readonly constants = new Map<string, ReadonlySet<string> | undefined>()

  constructor(shape: ObjectShape) {
    this.shape = shape
    this.names = shape.members.map(({ name }) => name)
    this.byName = new Map(shape.members.map(({ name, required, child }, index) => [name, { index, required, child }]))
  }

  /** `undefined` stands for a property that is not listed. */
  child(name: string | undefined): Child | undefined {
    return (name === undefined ? undefined : this.byName.get(name)?.child) ?? this.shape.extra
  }

  /** Whether a text is known to be of the one or of the other before the value of the named property begins. */
  differs(other: Members, name: string | undefined): boolean {
    const before = this.byName.get(name ?? '')?.index ?? this.names.length
    for (let i = 0; i < this.names.length; i++) {
      const own = this.names[i] ?? ''
      const theirs = other.names[i]
      const bothRequired = this.byName.get(own)?.required === true && other.byName.get(theirs ?? '')?.required === true
      if (!bothRequired) return false
      if (own !== theirs) return i <= before
      if (i >= before) return false
      const values = this.values(own)
      const others = other.values(own)
      if (values !== undefined && others !== undefined && [...values].every(value => !others.has(value))) return true
    }
    return false
  }

  /** The texts of a property that has none but constant values. */
  private values(name: string): ReadonlySet<string> | undefined {
    if (!this.constants.has(name)) {
      const nodes = this.byName.get(name)?.child ?? []
      const lists = nodes.flatMap(node => node.literals)
      this.constants.set(name, lists[0] === undefined ? undefined : new Set(lists[0].map(canonical)))
    }
    return this.constants.get(name)
  }
}

/** Groups of places that lead to one another, each after those it leads to (Tarjan's algorithm, without recursion). */
function components<C>(places: readonly C[], next: (place: C) => readonly C[]): { members: C[] }[] {
  const order = new Map<C, number>()
  const low = new Map<C, number>()
  const open: C[] = []
  const waiting = new Set<C>()
  const found: { members: C[] }[] = []
  for (const start of places) {
    if (order.has(start)) continue
    const path: { place: C; rest: C[] }[] = []
    const enter = (place: C) => {
      order.set(place, order.size)
      low.set(place, order.size - 1)
      open.push(place)
      waiting.add(place)
      path.push({ place, rest: [...next(place)] })
    }
    enter(start)
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { place, rest } = step
      const child = rest.pop()
      if (child !== undefined) {
        if (!order.has(child)) enter(child)
        else if (waiting.has(child)) low.set(place, Math.min(low.get(place) ?? 0, order.get(child) ?? 0))
        continue
      }
      path.pop()
      const above = path.at(-1)?.place
      if (above !== undefined) low.set(above, Math.min(low.get(above) ?? 0, low.get(place) ?? 0))
      if (low.get(place) === order.get(place)) found.push({ members: taken(open, place, waiting) })
    }
  }
  return found
}

function taken<C>(open: C[], last: C, waiting: Set<C>): C[] {
  const members: C[] = []
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    waiting.delete(place)
    members.push(place)
    if (place === last) break
  }
  return members
}
