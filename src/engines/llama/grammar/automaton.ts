import { type Budget, limits } from './limits.ts'
import { refuse, type Spot } from './spot.ts'

/** First and last code point, both included. */
export type Range = readonly [low: number, high: number]

export const lastCodePoint = 0x10ffff
export const anyCharacter: readonly Range[] = [[0, lastCodePoint]]

/**
 * A deterministic automaton over code points. State 0 is the first. The ranges of the edges of one state never overlap, so that a
 * grammar written from it is read in one way only.
 */
export interface Automaton {
  readonly states: readonly State[]
}

export interface State {
  readonly accepting: boolean
  readonly edges: readonly Edge[]
}

export interface Edge {
  readonly ranges: readonly Range[]
  readonly to: number
}

/** Whether the automaton accepts the whole text. */
export function accepts(automaton: Automaton, text: string): boolean {
  let state = automaton.states[0]
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const edge = state?.edges.find(({ ranges }) => ranges.some(([low, high]) => low <= code && code <= high))
    if (edge === undefined) return false
    state = automaton.states[edge.to]
  }
  return state?.accepting === true
}

/** An automaton under construction that may be in several states at once. State 0 is the first, `end` the accepting one. */
export class Draft {
  readonly moves: { ranges: readonly Range[]; to: number }[][] = []
  /** Steps that read nothing: always, at the start of the text, or at its end. */
  readonly jumps: { to: number; only?: 'start' | 'end' }[][] = []
  readonly ends = new Set<number>()
  private readonly budget: Budget
  private readonly spot: Spot

  constructor(budget: Budget, spot: Spot) {
    this.budget = budget
    this.spot = spot
  }

  /** @throws fault.invalidValue beyond the limit of states */
  state(): number {
    if (this.moves.length >= limits.states * 2) refuse(this.spot, 'this needs too many repetitions to be enforced.')
    this.budget.spend(1, this.spot)
    this.jumps.push([])
    return this.moves.push([]) - 1
  }

  move(from: number, ranges: readonly Range[], to: number): void {
    if (ranges.length > 0) this.moves[from]?.push({ ranges, to })
  }

  jump(from: number, to: number, only?: 'start' | 'end'): void {
    this.jumps[from]?.push(only === undefined ? { to } : { to, only })
  }

  /** The same language, read in one way only; undefined when it is empty. */
  determined(): Automaton | undefined {
    const live = this.live()
    const found = new Map<string, number>()
    const sets: number[][] = []
    const index = (set: number[]) => {
      const key = set.join()
      const known = found.get(key)
      if (known !== undefined) return known
      if (sets.length >= limits.states) refuse(this.spot, 'this needs too many states to be enforced.')
      found.set(key, sets.length)
      return sets.push(set) - 1
    }
    index(this.closure([0], true, false))
    const states: State[] = []
    for (let at = 0; at < sets.length; at++) {
      const set = sets[at] ?? []
      const moves = set.flatMap(state => this.moves[state] ?? [])
      const split = partition(moves, this.budget, this.spot)
      states.push({
        accepting: this.closure(set, at === 0, true).some(state => this.ends.has(state)),
        edges: joined(
          split.map(({ range, targets }) => ({
            range,
            to: index(
              this.closure(
                targets.filter(state => live.has(state)),
                false,
                false,
              ).filter(state => live.has(state)),
            ),
          })),
        ),
      })
    }
    return trimmed({ states })
  }

  /** States that can lead to the end once something has been read: the others only make sets larger. */
  private live(): Set<number> {
    const before: number[][] = this.moves.map(() => [])
    for (const [from, moves] of this.moves.entries()) for (const { to } of moves) before[to]?.push(from)
    for (const [from, jumps] of this.jumps.entries())
      for (const { to, only } of jumps) if (only !== 'start') before[to]?.push(from)
    const live = new Set(this.ends)
    for (const state of live) {
      this.budget.spend(1, this.spot)
      for (const from of before[state] ?? []) live.add(from)
    }
    return live
  }

  /** All states reached without reading, sorted. An end that accepts whatever follows stands for the whole set. */
  private closure(from: readonly number[], atStart: boolean, atEnd: boolean): number[] {
    const seen = new Set(from)
    for (const state of seen) {
      this.budget.spend(4, this.spot)
      for (const { to, only } of this.jumps[state] ?? [])
        if (only === undefined || (only === 'start' ? atStart : atEnd)) seen.add(to)
    }
    for (const state of seen) if (this.ends.has(state) && this.isOpen(state)) return [state]
    return [...seen].sort((a, b) => a - b)
  }

  private isOpen(state: number): boolean {
    return (this.moves[state] ?? []).some(({ ranges, to }) => to === state && ranges === anyCharacter)
  }
}

/** Texts that both accept; undefined when there is none. */
export function intersection(a: Automaton, b: Automaton, budget: Budget, spot: Spot): Automaton | undefined {
  const found = new Map<number, number>()
  const pairs: [number, number][] = []
  const index = (left: number, right: number) => {
    const key = left * b.states.length + right
    const known = found.get(key)
    if (known !== undefined) return known
    if (pairs.length >= limits.states) refuse(spot, 'these constraints together need too many states to be enforced.')
    found.set(key, pairs.length)
    return pairs.push([left, right]) - 1
  }
  index(0, 0)
  const states: State[] = []
  for (let at = 0; at < pairs.length; at++) {
    const [left = 0, right = 0] = pairs[at] ?? []
    const first = a.states[left]
    const second = b.states[right]
    const edges: { range: Range; to: number }[] = []
    for (const one of first?.edges ?? [])
      for (const two of second?.edges ?? [])
        for (const range of overlaps(one.ranges, two.ranges, budget, spot))
          edges.push({ range, to: index(one.to, two.to) })
    states.push({ accepting: first?.accepting === true && second?.accepting === true, edges: joined(edges) })
  }
  return trimmed({ states })
}

/** All texts of `min` to `max` code points. @throws fault.invalidValue beyond the limit of states */
export function ofLength(min: number, max: number | undefined, spot: Spot): Automaton {
  const last = max ?? min
  if (last >= limits.states) refuse(spot, `a length of ${last} cannot be enforced together with a pattern or format.`)
  const states = Array.from({ length: last + 1 }, (_, length): State => {
    const to = length < last ? length + 1 : max === undefined ? length : undefined
    return { accepting: length >= min, edges: to === undefined ? [] : [{ ranges: anyCharacter, to }] }
  })
  return { states }
}

/** The texts as a tree of their beginnings. */
export function ofTexts(texts: Iterable<string>, budget: Budget, spot: Spot): Automaton {
  const { nodes, final } = tree(texts, budget, spot)
  return {
    states: nodes.map((node, i) => ({
      accepting: final.has(i),
      edges: [...node].map(([code, to]) => ({ ranges: [[code, code]], to })),
    })),
  }
}

/** All texts but these. */
export function otherThan(texts: Iterable<string>, budget: Budget, spot: Spot): Automaton {
  const { nodes, final } = tree(texts, budget, spot)
  const anything = nodes.length
  const states = nodes.map((node, i): State => {
    const rest = complement([...node.keys()].map(code => [code, code]))
    const edges = [...node].map(([code, to]): Edge => ({ ranges: [[code, code]], to }))
    return { accepting: !final.has(i), edges: [...edges, { ranges: rest, to: anything }] }
  })
  return { states: [...states, { accepting: true, edges: [{ ranges: anyCharacter, to: anything }] }] }
}

/** Whether the state accepts whatever follows. */
export function acceptsAll(state: State, index: number): boolean {
  const [edge] = state.edges
  return state.accepting && edge?.to === index && edge.ranges.length === 1 && isAny(edge.ranges[0])
}

const isAny = (range: Range | undefined) => range?.[0] === 0 && range[1] === lastCodePoint

/** What a text can hold: halves of surrogate pairs are no characters. */
export const characters: readonly Range[] = [
  [0, 0xd7ff],
  [0xe000, lastCodePoint],
]

export function within([low, high]: Range, allowed: readonly Range[]): Range[] {
  return allowed.flatMap(([from, to]): Range[] =>
    Math.max(low, from) <= Math.min(high, to) ? [[Math.max(low, from), Math.min(high, to)]] : [],
  )
}

/** Sorted, neither overlapping nor touching. */
export function union(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const out: [number, number][] = []
  for (const [low, high] of sorted) {
    const last = out.at(-1)
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else out.push([low, high])
  }
  return out
}

export function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = []
  let next = 0
  for (const [low, high] of union(ranges)) {
    if (low > next) out.push([next, low - 1])
    next = high + 1
  }
  if (next <= lastCodePoint) out.push([next, lastCodePoint])
  return out
}

function tree(texts: Iterable<string>, budget: Budget, spot: Spot) {
  const nodes: Map<number, number>[] = [new Map()]
  const final = new Set<number>()
  for (const text of texts) {
    let at = 0
    for (const character of text) {
      budget.spend(1, spot)
      const code = character.codePointAt(0) ?? 0
      const node = nodes[at]
      const next = node?.get(code) ?? nodes.push(new Map()) - 1
      node?.set(code, next)
      at = next
    }
    final.add(at)
  }
  return { nodes, final }
}

interface Piece {
  range: Range
  targets: number[]
}

/** Cuts overlapping moves into ranges that lead to one set of targets each. */
function partition(
  moves: readonly { ranges: readonly Range[]; to: number }[],
  budget: Budget,
  spot: Spot,
): readonly Piece[] {
  const borders: { at: number; to: number; change: 1 | -1 }[] = []
  for (const { ranges, to } of moves)
    for (const [low, high] of ranges) borders.push({ at: low, to, change: 1 }, { at: high + 1, to, change: -1 })
  budget.spend(borders.length, spot)
  borders.sort((a, b) => a.at - b.at)
  const active = new Map<number, number>()
  const pieces: Piece[] = []
  for (const [i, { at, to, change }] of borders.entries()) {
    const count = (active.get(to) ?? 0) + change
    if (count === 0) active.delete(to)
    else active.set(to, count)
    const next = borders[i + 1]?.at
    if (next === undefined || next === at || active.size === 0) continue
    budget.spend(2 * active.size, spot)
    pieces.push({ range: [at, next - 1], targets: [...active.keys()] })
  }
  return pieces
}

/** One edge for each target. */
function joined(pieces: readonly { range: Range; to: number }[]): Edge[] {
  const byTarget = new Map<number, Range[]>()
  for (const { range, to } of pieces) {
    const ranges = byTarget.get(to)
    if (ranges === undefined) byTarget.set(to, [range])
    else ranges.push(range)
  }
  return [...byTarget].map(([to, ranges]) => ({ ranges: union(ranges), to }))
}

function overlaps(a: readonly Range[], b: readonly Range[], budget: Budget, spot: Spot): Range[] {
  const out: Range[] = []
  budget.spend(a.length + b.length, spot)
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [low, high] = a[i] ?? [0, 0]
    const [from, to] = b[j] ?? [0, 0]
    if (Math.max(low, from) <= Math.min(high, to)) out.push([Math.max(low, from), Math.min(high, to)])
    if (high < to) i++
    else j++
  }
  return out
}

/** Without the states from which no text is accepted; undefined when that is the first. */
function trimmed({ states }: Automaton): Automaton | undefined {
  const before: number[][] = states.map(() => [])
  for (const [from, { edges }] of states.entries()) for (const { to } of edges) before[to]?.push(from)
  const useful = new Set(states.flatMap((state, i) => (state.accepting ? [i] : [])))
  for (const state of useful) for (const from of before[state] ?? []) useful.add(from)
  if (!useful.has(0)) return undefined
  const renamed = new Map([...useful].sort((a, b) => a - b).map((old, i) => [old, i]))
  return {
    states: [...renamed.keys()].map(old => ({
      accepting: states[old]?.accepting === true,
      edges: (states[old]?.edges ?? []).flatMap(({ ranges, to }) => {
        const target = renamed.get(to)
        return target === undefined ? [] : [{ ranges, to: target }]
      }),
    })),
  }
}
