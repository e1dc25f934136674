import { createHash } from 'node:crypto'
import type { Grammar } from './schema.ts'

export interface CacheLimits {
  readonly countMax: number
  /** Of the grammars' texts together. */
  readonly charactersMax: number
}

/** The grammars used last, so that a schema that comes with every request is turned into a grammar once. */
export interface GrammarCache {
  /**
   * The grammar of a JSON value (a schema, or tools with their framing): the known one, or what `make` gives. The order of keys counts,
   * as it does in the grammar. Faults are not kept.
   */
  get(asked: unknown, make: () => Grammar): Grammar
  readonly count: number
  readonly characters: number
}

export function grammarCache({ countMax, charactersMax }: CacheLimits): GrammarCache {
  // A Map keeps the order of insertion: the first is the one not used for longest.
  const kept = new Map<string, Grammar>()
  let characters = 0
  const forget = (key: string) => {
    characters -= kept.get(key)?.text.length ?? 0
    kept.delete(key)
  }
  const get = (asked: unknown, make: () => Grammar) => {
    const key = createHash('sha256').update(JSON.stringify(asked)).digest('base64')
    const grammar = kept.get(key) ?? make()
    forget(key)
    if (grammar.text.length > charactersMax) return grammar
    kept.set(key, grammar)
    characters += grammar.text.length
    for (const oldest of kept.keys()) {
      if (kept.size <= countMax && characters <= charactersMax) break
      forget(oldest)
    }
    return grammar
  }
  return {
    get,
    get count() {
      return kept.size
    },
    get characters() {
      return characters
    },
  }
}
