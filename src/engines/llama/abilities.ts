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

/** What the file's beginning promises; undefined for a file that cannot be read. */
export function fileAbilities(file: string): ReadonlySet<Ability> | undefined {
  const purpose = purposeOfFile(file)
  return purpose && abilities[purpose]
}

/** Of a file that is not known yet: what most can do. Its use tells what is wrong with it. */
export const hopedAbilities = abilities.generate

/** What a request needs. */
export function abilityFor(asked: Asked): Ability {
  if (asked.type !== 'encode') return asked.type
  const [first] = asked.inputs
  return typeof first === 'object' && 'query' in first ? 'rerank' : 'embed'
}
