import { checkReadings } from './ambiguity.ts'
import { type Automaton, ofTexts, otherThan } from './automaton.ts'
import { limits } from './limits.ts'
import { numberAutomaton } from './numbers.ts'
import { joined, literal, type Rules } from './rules.ts'
import type {
  ArrayShape,
  Child,
  Literals,
  Member,
  NumberShape,
  ObjectShape,
  Shape,
  Shapes,
  StringShape,
} from './shapes.ts'
import { keyOf } from './shapes.ts'
import { refuse, type Spot } from './spot.ts'

/** A place in the schemas: what may stand there, and the name of its rule. */
interface Entry {
  readonly key: string
  readonly shapes: readonly Shape[]
  readonly rule: string
  /** Whether there is a finite value for it. */
  possible: boolean
}

/** After a colon or a comma a model may write one space, and nowhere else: no white space can go on for ever. */
const space = '" "?'
const comma = `"," ${space}`
const quote = literal('"')
/** Digits of a number before and after the point where the schema sets no bounds: what a double can tell apart. */
const digitsMax = 15

/** Writes the rules for the values of schemas. Several schemas can share one set of rules. */
export class Emitter {
  private readonly entries = new Map<string, Entry>()
  private readonly automata = new Map<string, Automaton | undefined>()
  private readonly lists = new Map<string, Automaton>()
  private readonly shapes: Shapes
  private readonly rules: Rules
  private readonly spot: Spot

  constructor(shapes: Shapes, rules: Rules, spot: Spot) {
    this.shapes = shapes
    this.rules = rules
    this.spot = spot
  }

  /** The name of the rule for the values of a schema. @throws fault.invalidValue when there is none */
  value(child: Child): string {
    const fresh = this.collect(child)
    this.settle(fresh)
    const root = this.entry(child)
    if (!root.possible) refuse(this.spot, 'no value can satisfy this schema.')
    checkReadings(fresh, inner => this.entry(inner), this.shapes.budget, this.spot)
    for (const entry of fresh) if (entry.possible) this.define(entry)
    return root.rule
  }

  /** All places below a schema that have no rule yet. */
  private collect(child: Child): Entry[] {
    const fresh: Entry[] = []
    const open = [child]
    for (const next of open) {
      const key = keyOf(next)
      this.shapes.budget.spend(2, this.spot)
      if (this.entries.has(key)) continue
      const entry: Entry = { key, shapes: this.shapes.of(next), rule: this.rules.reserve(), possible: false }
      this.entries.set(key, entry)
      fresh.push(entry)
      for (const shape of entry.shapes) {
        if (shape.kind === 'array') open.push(...shape.prefix, shape.rest)
        if (shape.kind === 'object') open.push(...shape.members.map(({ child: inner }) => inner), ...some(shape.extra))
      }
    }
    return fresh
  }

  private entry(child: Child): Entry {
    const entry = this.entries.get(keyOf(child))
    if (entry === undefined) throw new Error('A schema was not collected')
    return entry
  }

  /** Finds out which entries have a value at all; from the last to the first, as children come after their parents. */
  private settle(entries: readonly Entry[]): void {
    const backwards = entries.toReversed()
    for (let changed = true; changed; ) {
      changed = false
      for (const entry of backwards) {
        this.shapes.budget.spend(1, this.spot)
        if (entry.possible || !entry.shapes.some(shape => this.isPossible(shape))) continue
        entry.possible = true
        changed = true
      }
    }
  }

  private isPossible(shape: Shape): boolean {
    switch (shape.kind) {
      case 'literals':
        return true
      case 'number':
        return isPlainNumber(shape) || this.automaton(shape) !== undefined
      case 'string':
        return isPlainString(shape) || this.automaton(shape) !== undefined
      case 'array':
        return this.longest(shape) >= shape.min
      case 'object':
        this.shapes.budget.spend(shape.members.length, this.spot)
        return (
          shape.members.every(({ required, child }) => !required || this.entry(child).possible) &&
          counted(this.possibleParts(shape)) !== undefined
        )
    }
  }

  private automaton(shape: NumberShape | StringShape): Automaton | undefined {
    const key = descriptionOf(shape)
    if (!this.automata.has(key)) {
      const { budget } = this.shapes
      const made = shape.kind === 'string' ? this.shapes.texts(shape) : numberAutomaton(shape, budget, shape.spot)
      this.automata.set(key, made)
    }
    return this.automata.get(key)
  }

  /** How many items there can be. */
  private longest({ prefix, rest, max = Infinity }: ArrayShape): number {
    const blocked = prefix.findIndex(child => !this.entry(child).possible)
    if (blocked !== -1) return Math.min(max, blocked)
    return this.entry(rest).possible ? max : Math.min(max, prefix.length)
  }

  /** The object without the properties that can have no value. */
  private possibleParts(shape: ObjectShape): ObjectShape {
    const possible = (child: Child) => this.entry(child).possible
    return {
      ...shape,
      members: shape.members.filter(({ required, child }) => required || possible(child)),
      extra: shape.extra !== undefined && possible(shape.extra) ? shape.extra : undefined,
    }
  }

  private define({ rule, shapes }: Entry): void {
    const possible = shapes.filter(shape => this.isPossible(shape))
    const [only] = possible
    if (possible.length === 1 && only !== undefined) {
      this.rules.define(rule, this.expression(only), this.spot)
      return
    }
    const alternatives = new Set(possible.map(shape => this.rules.rule(this.expression(shape), this.spot)))
    this.rules.define(rule, [...alternatives].join(' | '), this.spot)
  }

  private expression(shape: Shape): string {
    switch (shape.kind) {
      case 'literals':
        return this.literals(shape)
      case 'number':
        return this.number(shape)
      case 'string':
        return this.string(shape)
      case 'array':
        return this.array(shape)
      case 'object':
        return this.object(shape)
    }
  }

  private literals({ values }: Literals): string {
    const texts = new Set(values.map(value => JSON.stringify(value)))
    const key = [...texts].join()
    const known = this.lists.get(key) ?? ofTexts(texts, this.shapes.budget, this.spot)
    this.lists.set(key, known)
    return this.rules.automaton(known, 'text', '', this.spot)
  }

  private number(shape: NumberShape): string {
    const automaton = isPlainNumber(shape) ? undefined : this.automaton(shape)
    if (automaton !== undefined) return this.rules.automaton(automaton, 'text', '', shape.spot)
    const digits = (min: number, max: number) => this.rules.repeat('[0-9]', min, max, this.spot)
    const whole = `[1-9] ${digits(0, digitsMax - 1)}`
    if (shape.integer) return `"0" | "-"? ${whole}`
    return `"-"? ("0" | ${whole}) ("." ${digits(1, digitsMax)})? ([eE] [\\x2B\\x2D]? ${digits(1, 2)})?`
  }

  private string(shape: StringShape): string {
    const automaton = isPlainString(shape) ? undefined : this.automaton(shape)
    if (automaton !== undefined) return joined(quote, this.rules.automaton(automaton, 'string', quote, shape.spot))
    return joined(quote, this.rules.repeat(this.rules.anyCharacter(), shape.min, shape.max, shape.spot), quote)
  }

  private array(shape: ArrayShape): string {
    const longest = this.longest(shape)
    if (longest === 0) return '"[]"'
    const item = (i: number) => this.entry(shape.prefix[i] ?? shape.rest).rule
    const fixed = Math.max(1, Math.min(shape.prefix.length, longest))
    let tail = ''
    if (longest > fixed) {
      const next = this.rules.rule(`${comma} ${this.entry(shape.rest).rule}`, this.spot)
      const more = longest === Infinity ? undefined : longest - fixed
      tail = this.rules.repeat(next, Math.max(0, shape.min - fixed), more, this.spot)
    }
    for (let i = fixed - 1; i > 0; i--) {
      const next = joined(comma, item(i), tail)
      tail = i < shape.min ? next : this.rules.rule(`"" | ${next}`, this.spot)
    }
    const items = joined(item(0), tail)
    return shape.min === 0 ? `"[" (${items})? "]"` : `"[" ${items} "]"`
  }

  private object(shape: ObjectShape): string {
    const wanted = counted(this.possibleParts(shape))
    if (wanted === undefined) throw new Error('An object without a value was written')
    const { members, extra } = wanted
    const optional = members.filter(({ required }) => !required).length
    if (optional > limits.optionalProperties)
      refuse(shape.spot, `an object can have at most ${limits.optionalProperties} properties that may be left out.`)
    // What follows the members so far, after one of them and when there was none.
    let after = ''
    let first: string | undefined = wanted.empty ? '' : undefined
    if (extra !== undefined && (extra.max ?? 1) > 0) {
      const pair = this.extraPair(shape, extra.child)
      const more = this.rules.rule(`${comma} ${pair}`, this.spot)
      const oneFewer = extra.max === undefined ? undefined : extra.max - 1
      after = this.rules.repeat(more, extra.min, extra.max, this.spot)
      const pairs = joined(pair, this.rules.repeat(more, Math.max(0, extra.min - 1), oneFewer, this.spot))
      first = this.rules.rule(wanted.empty && extra.min === 0 ? `"" | ${pairs}` : pairs, this.spot)
    }
    for (const member of members.toReversed()) {
      const pair = joined(literal(`${JSON.stringify(member.name)}:`), space, this.entry(member.child).rule)
      if (member.required) {
        first = joined(pair, after)
        after = joined(comma, pair, after)
        continue
      }
      const rest = after === '' ? '' : this.rules.rule(after, this.spot)
      const taken = joined(pair, rest)
      first = this.rules.rule(first === undefined ? taken : `${taken} | ${first === '' ? '""' : first}`, this.spot)
      after = this.rules.rule(`${joined(comma, taken)} | ${rest === '' ? '""' : rest}`, this.spot)
    }
    return joined('"{"', first ?? '', '"}"')
  }

  /** A property whose name is none of the listed ones. */
  private extraPair(shape: ObjectShape, child: Child): string {
    const names = shape.members.map(({ name }) => name)
    const { budget } = this.shapes
    const key =
      names.length === 0
        ? joined(`${this.rules.anyCharacter()}*`, quote)
        : this.rules.automaton(otherThan(names, budget, shape.spot), 'string', quote, shape.spot)
    return this.rules.rule(joined(quote, key, '":"', space, this.entry(child).rule), this.spot)
  }
}

const some = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])

function isPlainNumber({ min, max, multiplesOf }: NumberShape): boolean {
  return min === undefined && max === undefined && multiplesOf.length === 0
}

const isPlainString = ({ patterns, formats }: StringShape) => patterns.length + formats.length === 0

/** Equal for shapes that allow the same values. */
function descriptionOf(shape: NumberShape | StringShape): string {
  if (shape.kind === 'string')
    return JSON.stringify([shape.min, shape.max, shape.formats, shape.patterns.map(({ source }) => source)])
  const bounds = [shape.min, shape.max].map(
    bound => bound && [String(bound.value.units), bound.value.scale, bound.exclusive],
  )
  return JSON.stringify([shape.integer, bounds, shape.multiplesOf.map(({ units, scale }) => [String(units), scale])])
}

interface Counted {
  readonly members: readonly Member[]
  readonly extra: { child: Child; min: number; max: number | undefined } | undefined
  /** Whether the object may be empty. */
  readonly empty: boolean
}

/**
 * The object with `minProperties` and `maxProperties` worked in; undefined when no object is left.
 * @throws fault.invalidValue where the counts leave a choice that a grammar cannot follow
 */
function counted({ members, extra, min, max = Infinity, spot }: ObjectShape): Counted | undefined {
  const required = members.filter(member => member.required)
  const optional = members.length - required.length
  const most = extra === undefined ? members.length : Infinity
  if (required.length > max || most < min) return undefined
  if (max === required.length) return { members: required, extra: undefined, empty: required.length === 0 }
  if (optional > 0 && max < most)
    refuse(spot, `'maxProperties' is not supported beside properties that may be left out.`)
  const room = max === Infinity ? undefined : max - required.length
  if (min <= required.length) return { members, extra: extra && { child: extra, min: 0, max: room }, empty: true }
  if (min === most)
    return { members: members.map(member => ({ ...member, required: true })), extra: undefined, empty: false }
  // Further properties may repeat a name, so that two of them can count as one.
  if (optional === 0 && extra !== undefined && min === required.length + 1)
    return { members, extra: { child: extra, min: 1, max: room }, empty: false }
  if (min === 1) return { members, extra: extra && { child: extra, min: 0, max: room }, empty: false }
  return refuse(spot, `a 'minProperties' of ${min} is not supported beside properties that may be left out.`)
}
