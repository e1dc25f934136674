import type { Tokenizer } from '../tokenizer.ts'
import type { RoutedTarget } from './target.ts'

/**
 * Counts for a model that several answer for: as the one that they all are does, or, where they are not the same, as the one that
 * counts most, because money is held back for the worst case. Undefined when one of them cannot count.
 */
export function tokenizerOf(targets: readonly RoutedTarget[]): Tokenizer | undefined {
  const byModel = new Map<string, Tokenizer>()
  for (const { model, engine } of targets) {
    if (engine.tokenizer === undefined) return undefined
    byModel.set(model, byModel.get(model) ?? engine.tokenizer)
  }
  const [first, ...others] = byModel.values()
  return first === undefined || others.length === 0 ? first : largest(first, others, [...byModel.keys()])
}

function largest(first: Tokenizer, others: readonly Tokenizer[], models: readonly string[]): Tokenizer {
  const { name, ids, assumptions: known } = first
  const all = [first, ...others]
  const mixed = `${models.join(' and ')} answer for it: the largest of their counts.`
  const assumptions = [...new Set([...known, ...others.flatMap(other => other.assumptions), mixed])]
  const chats = all.map(tokenizer => tokenizer.countChat?.bind(tokenizer)).filter(count => count !== undefined)
  return {
    name,
    assumptions,
    ...(ids && { ids }),
    async count(text, signal) {
      return Math.max(...(await Promise.all(all.map(tokenizer => tokenizer.count(text, signal)))))
    },
    ...(chats.length === all.length && {
      async countChat(request, signal) {
        const counts = await Promise.all(chats.map(count => count(request, signal)))
        const tokens = Math.max(...counts.map(count => count.tokens))
        return { tokens, assumptions: [...new Set([...counts.flatMap(count => count.assumptions), mixed])] }
      },
    }),
  }
}
