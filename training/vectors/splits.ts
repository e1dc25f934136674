/** Which records are for training, which for tuning (`dev`) and which for the published figures (`test`): by hash, so for ever the same. */
import { hash } from '../../src/engines/vectors/features.ts'
import type { Synset, Utterance } from './sources.ts'

export type Part = 'train' | 'dev' | 'test'

/** Whole intents are held out: no utterance of a held-out intent is seen in training. 15 % dev, 15 % test. */
export function partOfIntent({ source, intent }: Utterance): Part {
  return part(`${source} ${intent}`, 15)
}

/** Held-out synsets lend no definition, example or synonym to training. 1.5 % dev, 1.5 % test. */
export function partOfSynset({ definition, id }: Synset): Part {
  return part(definition[0] ?? id, 1.5)
}

/** Translations are split so that neither side of a held-out pair occurs in training. About 6 % dev, 6 % test. */
export function splitTranslations<T extends { en: string; zh: string }>(pairs: readonly T[]): Record<Part, T[]> {
  const split: Record<Part, T[]> = { train: [], dev: [], test: [] }
  for (const pair of pairs) split[part(pair.en, 6)].push(pair)
  const held = new Set([...split.dev, ...split.test].map(({ zh }) => zh))
  split.train = split.train.filter(({ zh }) => !held.has(zh))
  return split
}

function part(key: string, heldPercent: number): Part {
  const at = (hash(key, 7) % 10_000) / 100
  if (at < heldPercent) return 'test'
  return at < 2 * heldPercent ? 'dev' : 'train'
}
