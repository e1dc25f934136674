import { type Purpose, purposeOfFile } from '../../gguf/purpose.ts'
import type { Ability } from '../engine.ts'
import type { Description } from './file.ts'
import type { Asked } from './host.ts'

const abilities: Record<Purpose, ReadonlySet<Ability>> = {
  generate: new Set<Ability>(['chat', 'complete']),
  embed: new Set<Ability>(['embed']),
  rerank: new Set<Ability>(['rerank']),
}
const completes: ReadonlySet<Ability> = new Set<Ability>(['complete'])

/** What the model of a file can do. Without a chat template it cannot chat. */
export const abilitiesOf = ({ purpose, template }: Description): ReadonlySet<Ability> =>
  purpose === 'generate' && template === null ? completes : abilities[purpose]

/** What the file's beginning promises; of a file that cannot be read, what most files can do: its use tells what is wrong with it. */
export const fileAbilities = (file: string): ReadonlySet<Ability> => abilities[purposeOfFile(file) ?? 'generate']

/** What a request needs. */
export function abilityFor(asked: Asked): Ability {
  if (asked.type !== 'encode') return asked.type
  const [first] = asked.inputs
  return typeof first === 'object' && 'query' in first ? 'rerank' : 'embed'
}
