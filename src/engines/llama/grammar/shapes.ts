import { type Automaton, accepts, intersection, ofLength } from './automaton.ts'
import { type Format, formatAutomaton } from './formats.ts'
import { type Budget, limits } from './limits.ts'
import { type Json, type Kind, kinds, type Node } from './nodes.ts'
import type { NumberRange } from './numbers.ts'
import { patternAutomaton } from './pattern.ts'
import { refuse, type Spot } from './spot.ts'
import { satisfies } from './validity.ts'

/** Schemas that must all hold, in the order of their ids, none twice. None at all: any value. */
export type Child = readonly Node[]

/** One kind of value that a place allows. */
export type Shape = Literals | NumberShape | StringShape | ArrayShape | ObjectShape

export interface Literals {
  readonly kind: 'literals'
  readonly values: readonly Json[]
}

export interface NumberShape extends NumberRange {
  readonly kind: 'number'
  readonly spot: Spot
}

export interface StringShape {
  readonly kind: 'string'
  readonly spot: Spot
  readonly min: number
  readonly max: number | undefined
  readonly patterns: readonly { source: string; spot: Spot }[]
  readonly formats: readonly Format[]
}

export interface ArrayShape {
  readonly kind: 'array'
  readonly spot: Spot
  readonly prefix: readonly Child[]
  readonly rest: Child
  readonly min: number
  readonly max: number | undefined
}

export interface ObjectShape {
  readonly kind: 'object'
  readonly spot: Spot
  readonly members: readonly Member[]
  /** What further properties hold; undefined when there are none. */
  readonly extra: Child | undefined
  readonly min: number
  readonly max: number | undefined
}

export interface Member {
  readonly name: string
  readonly child: Child
  readonly required: boolean
}

export const childOf = (nodes: readonly Node[]): Child => [...new Set(nodes)].sort((a, b) => a.id - b.id)
export const keyOf = (child: Child) => child.map(node => node.id).join('+')

/** Turns schemas with their `anyOf`, `allOf` and `$ref` into plain lists of what a place allows. */
export class Shapes {
  private readonly known = new Map<string, readonly Shape[]>()
  private readonly patterns = new Map<string, Automaton | undefined>()
  readonly budget: Budget

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** Empty when no value satisfies the schemas together. */
  of(child: Child): readonly Shape[] {
    const key = keyOf(child)
    const known = this.known.get(key)
    if (known !== undefined) return known
    const shapes = this.branches(child).flatMap(branch => this.merged(branch))
    const literals = shapes.flatMap(shape => (shape.kind === 'literals' ? shape.values : []))
    const others = shapes.filter(shape => shape.kind !== 'literals')
    const made = literals.length === 0 ? others : [{ kind: 'literals', values: literals } as const, ...others]
    this.known.set(key, made)
    return made
  }

  /** Texts of a string; undefined when none fits. Only for strings with patterns or formats. */
  texts({ patterns, formats, min, max, spot }: Omit<StringShape, 'kind'>): Automaton | undefined {
    let found: Automaton | undefined
    const narrow = (next: Automaton | undefined, at: Spot): boolean => {
      if (next === undefined) return false
      found = found === undefined ? next : intersection(found, next, this.budget, at)
      return found !== undefined
    }
    for (const format of formats) if (!narrow(formatAutomaton(format), spot)) return undefined
    for (const { source, spot: at } of patterns) if (!narrow(this.pattern(source, at), at)) return undefined
    if ((min > 0 || max !== undefined) && !narrow(ofLength(min, max, spot), spot)) return undefined
    return found
  }

  /** Whether the text matches one pattern or format. */
  matches(text: string, wanted: { pattern: string; spot: Spot } | { format: Format }): boolean {
    this.budget.spend(text.length, 'spot' in wanted ? wanted.spot : nowhere)
    const automaton = 'format' in wanted ? formatAutomaton(wanted.format) : this.pattern(wanted.pattern, wanted.spot)
    return automaton !== undefined && accepts(automaton, text)
  }

  private pattern(source: string, spot: Spot): Automaton | undefined {
    if (!this.patterns.has(source)) this.patterns.set(source, patternAutomaton(source, this.budget, spot))
    return this.patterns.get(source)
  }

  /** All ways to choose from every `anyOf`: the nodes that then hold. */
  private branches(child: Child): Node[][] {
    const found: Node[][] = []
    const follow = (pending: readonly Pending[], groups: readonly Group[], seen: ReadonlySet<Node>) => {
      this.budget.spend(1 + (seen.size + groups.length) / 8, child[0]?.spot ?? nowhere)
      const nodes = new Set(seen)
      const open = [...groups]
      const queue = [...pending]
      for (const { node, above } of queue) {
        this.budget.spend(2 + nodes.size / 8, node.spot)
        if (isAbove(node, above)) refuse(node.spot, 'the schema refers to itself with nothing in between.')
        if (nodes.has(node)) continue
        if (node.never) return
        nodes.add(node)
        const inside = { node, above }
        queue.push(...node.all.map(part => ({ node: part, above: inside })))
        open.push(...node.any.map(options => ({ options, above: inside })))
      }
      const [group, ...others] = open
      if (group === undefined) {
        if (found.length >= limits.alternatives) refuse(child[0]?.spot ?? nowhere, 'there are too many alternatives.')
        found.push([...nodes])
        return
      }
      for (const option of group.options) follow([{ node: option, above: group.above }], others, nodes)
    }
    follow(
      child.map(node => ({ node, above: undefined })),
      [],
      new Set(),
    )
    return found
  }

  private merged(nodes: readonly Node[]): Shape[] {
    const spot = nodes[0]?.spot ?? nowhere
    const allowed = kinds.filter(kind => nodes.every(node => allows(node, kind)))
    const [first, ...others] = nodes.flatMap(node => node.literals)
    if (first !== undefined) {
      const texts = others.map(values => new Set(values.map(canonical)))
      const values = first.filter(value => {
        this.budget.spend(2, spot)
        return (
          texts.every(set => set.has(canonical(value))) &&
          nodes.every(node => satisfies(value, node, this, { flat: true }))
        )
      })
      return values.length === 0 ? [] : [{ kind: 'literals', values }]
    }
    return allowed.flatMap(kind => this.ofKind(kind, nodes, spot, allowed))
  }

  private ofKind(kind: Kind, nodes: readonly Node[], spot: Spot, allowed: readonly Kind[]): Shape[] {
    switch (kind) {
      case 'null':
        return [{ kind: 'literals', values: [null] }]
      case 'boolean':
        return [{ kind: 'literals', values: [true, false] }]
      case 'integer':
        return allowed.includes('number') ? [] : [numberOf(nodes, spot, true)]
      case 'number':
        return [numberOf(nodes, spot, false)]
      case 'string':
        return stringOf(nodes, spot)
      case 'array':
        return arrayOf(nodes, spot)
      case 'object':
        return objectOf(nodes, spot, this.budget)
    }
  }
}

const nowhere: Spot = { place: { param: 'schema', subject: 'the grammar' }, path: [] }

interface Pending {
  readonly node: Node
  readonly above: Pending | undefined
}

interface Group {
  readonly options: readonly Node[]
  readonly above: Pending
}

function isAbove(node: Node, above: Pending | undefined): boolean {
  for (let at = above; at !== undefined; at = at.above) if (at.node === node) return true
  return false
}

/** Integers are numbers. */
function allows({ kinds: own }: Node, kind: Kind): boolean {
  return own === undefined || own.has(kind) || (kind === 'integer' && own.has('number'))
}

/** Equal values have equal texts, whatever the order of their keys. */
export function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonical).join()}]`
  const keys = Object.keys(value).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join()}}`
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)

function numberOf(nodes: readonly Node[], spot: Spot, integer: boolean): NumberShape {
  const min = tightest(
    nodes.flatMap(node => node.number.min),
    1n,
  )
  const max = tightest(
    nodes.flatMap(node => node.number.max),
    -1n,
  )
  return {
    kind: 'number',
    spot,
    integer,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    multiplesOf: nodes.flatMap(node => node.number.multiplesOf),
  }
}

/** The bound that lies furthest in a direction; of equal ones the one that excludes. */
function tightest(bounds: readonly NonNullable<NumberRange['min']>[], direction: 1n | -1n) {
  return bounds.reduce<NumberRange['min']>((best, bound) => {
    if (best === undefined) return bound
    const scale = Math.max(best.value.scale, bound.value.scale)
    const units = ({ value }: typeof bound) => value.units * 10n ** BigInt(scale - value.scale)
    const difference = (units(bound) - units(best)) * direction
    return difference > 0n || (difference === 0n && bound.exclusive) ? bound : best
  }, undefined)
}

function stringOf(nodes: readonly Node[], spot: Spot): StringShape[] {
  const parts = nodes.map(node => node.string)
  const min = Math.max(0, ...parts.map(part => part.min))
  const max = least(parts.map(part => part.max))
  if (max !== undefined && min > max) return []
  const formats = [...new Set(parts.flatMap(part => part.format ?? []))]
  return [{ kind: 'string', spot, min, max, formats, patterns: parts.flatMap(part => part.patterns) }]
}

function arrayOf(nodes: readonly Node[], spot: Spot): ArrayShape[] {
  const parts = nodes.map(node => node.array)
  const closed = parts.map(part => (part.rest?.never === true ? part.prefix.length : undefined))
  const max = least([...parts.map(part => part.max), ...closed])
  const min = Math.max(0, ...parts.map(part => part.min))
  if (max !== undefined && min > max) return []
  const longest = Math.max(0, ...parts.map(part => part.prefix.length))
  const at = (i: number) => childOf(parts.flatMap(part => part.prefix[i] ?? part.rest ?? []))
  const prefix = Array.from({ length: Math.min(longest, max ?? longest) }, (_, i) => at(i))
  return [{ kind: 'array', spot, prefix, rest: at(longest), min, max }]
}

/**
 * Without `additionalProperties` JSON Schema lets any further property through. A model that may add properties does, so that here a
 * schema that lists properties means those alone, and only one without any list is a free map.
 */
function objectOf(nodes: readonly Node[], spot: Spot, budget: Budget): ObjectShape[] {
  const parts = nodes.map(node => node.object)
  const names = new Set([
    ...parts.flatMap(part => [...part.properties.keys()]),
    ...parts.flatMap(part => [...part.required]),
  ])
  const required = new Set(parts.flatMap(part => [...part.required]))
  const members: Member[] = []
  for (const name of names) {
    budget.spend(parts.length, spot)
    const child = childOf(parts.flatMap(part => part.properties.get(name) ?? part.additional ?? []))
    const forbidden = child.some(node => node.never)
    if (forbidden && required.has(name)) return []
    if (!forbidden) members.push({ name, child, required: required.has(name) })
  }
  const told = parts.flatMap(part => part.additional ?? [])
  const open = told.length > 0 ? !told.some(node => node.never) : parts.every(part => part.properties.size === 0)
  const min = Math.max(0, ...parts.map(part => part.min))
  const max = least(parts.map(part => part.max))
  if (max !== undefined && min > max) return []
  return [{ kind: 'object', spot, members, extra: open ? childOf(told) : undefined, min, max }]
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const told = values.filter(value => value !== undefined)
  return told.length === 0 ? undefined : Math.min(...told)
}
