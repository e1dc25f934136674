/**
 * Measures a model file on held-out data through the run-time code:
 * `node evaluate.ts <data folder> <model file> [dev|test] [--tune]`. Prints a Markdown table: lexical part alone, semantic part
 * alone, whole vector. `--tune` prints the development figures over several shares of the semantic part instead.
 */
import { openVectors } from '../../src/engines/vectors/vectors.ts'
import { TRIPLES, UNRELATED } from './by-hand.ts'
import { readTatoeba, readUtterances, readWordnet } from './sources.ts'
import type { Part } from './splits.ts'
import { partOfIntent, partOfSynset, splitTranslations } from './splits.ts'
import { chance, mistype } from './typing.ts'

/** One question to the model: a figure between 0 and 1 out of cosines. */
interface Task {
  readonly name: string
  readonly texts: number
  measure(cosine: Cosine): number
}

interface Embedded {
  readonly semantic: Float32Array
  readonly lexical: Float32Array
}

type Cosine = (a: Embedded, b: Embedded) => number

const SEMANTIC = 256
const SAMPLE = 1000

function evaluate(data: string, modelFile: string, part: Part, tune: boolean): void {
  const vectors = openVectors(modelFile)
  const embed = (text: string): Embedded => {
    const whole = vectors.embed(text)
    return { semantic: unit(whole.subarray(0, SEMANTIC)), lexical: unit(whole.subarray(SEMANTIC)) }
  }
  const whole = vectors.embed('share of the semantic part')
  const share = dot(whole.subarray(0, SEMANTIC), whole.subarray(0, SEMANTIC))
  const tasks = [...dataTasks(data, part, embed), ...(part === 'test' ? handTasks(embed) : [])]
  const shares = tune ? [0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1] : [0, 1, share]
  const heads = tune ? shares.map(String) : ['lexical alone', 'semantic alone', `whole (${share.toFixed(2)} semantic)`]
  console.log(`| ${part}: task | texts | ${heads.join(' | ')} |\n|---|---|${heads.map(() => '---').join('|')}|`)
  for (const task of tasks) {
    const figures = shares.map(one =>
      task.measure(({ semantic, lexical }, b) => blended(one, semantic, lexical, b)).toFixed(3),
    )
    console.log(`| ${task.name} | ${task.texts} | ${figures.join(' | ')} |`)
  }
}

function blended(share: number, semantic: Float32Array, lexical: Float32Array, b: Embedded): number {
  return (share > 0 ? share * dot(semantic, b.semantic) : 0) + (share < 1 ? (1 - share) * dot(lexical, b.lexical) : 0)
}

function dataTasks(data: string, part: Part, embed: (text: string) => Embedded): Task[] {
  const tasks: Task[] = []
  const utterances = readUtterances(data).filter(one => partOfIntent(one) === part)
  for (const source of ['banking77', 'clinc150', 'hwu64', 'crosswoz']) {
    const own = sample(
      unique(
        utterances.filter(one => one.source === source),
        ({ text }) => text,
      ),
    )
    const intents = new Set(own.map(({ intent }) => intent)).size
    const points = own.map(({ text, intent }) => ({ intent, at: embed(text) }))
    const name = `${source}, ${intents} unseen intents`
    tasks.push({
      name: `${name}: nearest has the same intent`,
      texts: own.length,
      measure: cosine => nearestAgrees(points, cosine),
    })
    tasks.push({
      name: `${name}: AUC same against other`,
      texts: own.length,
      measure: cosine => separates(points, cosine),
    })
  }
  const translations = sample(
    unique(
      unique(splitTranslations(readTatoeba(data))[part], ({ en }) => en),
      ({ zh }) => zh,
    ),
  )
  const english = translations.map(({ en }) => embed(en))
  const chinese = translations.map(({ zh }) => embed(zh))
  tasks.push({
    name: 'Tatoeba English → Chinese: translation is nearest',
    texts: english.length,
    measure: cosine => finds(english, chinese, cosine),
  })
  tasks.push({
    name: 'Tatoeba Chinese → English: translation is nearest',
    texts: english.length,
    measure: cosine => finds(chinese, english, cosine),
  })
  const synsets = sample(readWordnet(data).filter(one => partOfSynset(one) === part && one.definition[0]))
  const words = synsets.map(({ members }) => embed(members[0] ?? ''))
  const definitions = synsets.map(({ definition }) => embed(definition[0] ?? ''))
  tasks.push({
    name: 'WordNet definition → word: mean reciprocal rank',
    texts: words.length,
    measure: cosine => ranks(definitions, words, cosine),
  })
  const several = sample(readWordnet(data).filter(one => partOfSynset(one) === part && one.members.length > 1))
  const firsts = several.map(({ members }) => embed(members[0] ?? ''))
  const seconds = several.map(({ members }) => embed(members[1] ?? ''))
  tasks.push({
    name: 'WordNet word → synonym: mean reciprocal rank',
    texts: firsts.length,
    measure: cosine => ranks(firsts, seconds, cosine),
  })
  const plain = sample(
    unique(
      utterances.filter(({ source }) => source !== 'crosswoz'),
      ({ text }) => text,
    ),
  )
  const clean = plain.map(({ text }) => embed(text))
  const broken = plain.map(({ text }) => embed(misspell(text)))
  tasks.push({
    name: 'every word of 4+ letters mistyped: right text is nearest',
    texts: clean.length,
    measure: cosine => finds(broken, clean, cosine),
  })
  return tasks
}

function handTasks(embed: (text: string) => Embedded): Task[] {
  const tasks: Task[] = Object.entries(TRIPLES).map(([name, triples]) => {
    const points = triples.map(([anchor, same, other]) => [embed(anchor), embed(same), embed(other)] as const)
    const measure = (cosine: Cosine) =>
      mean(points.map(([anchor, same, other]) => (cosine(anchor, same) > cosine(anchor, other) ? 1 : 0)))
    return { name: `by hand, ${name}: same meaning is nearer than the decoy`, texts: 3 * points.length, measure }
  })
  const pairs = UNRELATED.map(([a, b]) => [embed(a), embed(b)] as const)
  tasks.push({
    name: 'by hand, unrelated: mean cosine (0 is best)',
    texts: 2 * pairs.length,
    measure: cosine => mean(pairs.map(([a, b]) => cosine(a, b))),
  })
  return tasks
}

interface Point {
  readonly intent: string
  readonly at: Embedded
}

function nearestAgrees(points: readonly Point[], cosine: Cosine): number {
  return mean(
    points.map(({ intent, at }) =>
      points[
        nearest(
          at,
          points.map(point => point.at),
          cosine,
        )
      ]?.intent === intent
        ? 1
        : 0,
    ),
  )
}

/** Chance that a pair of one intent has a higher cosine than a pair of two intents. */
function separates(points: readonly Point[], cosine: Cosine): number {
  const random = chance(11)
  const pick = () => points[Math.floor(random() * points.length)]
  const same: number[] = []
  const other: number[] = []
  while (same.length < 3000 || other.length < 3000) {
    const [a, b] = [pick(), pick()]
    if (!a || !b || a === b) continue
    const list = a.intent === b.intent ? same : other
    if (list.length < 3000) list.push(cosine(a.at, b.at))
  }
  const all = [...same.map(value => [value, 1] as const), ...other.map(value => [value, 0] as const)].sort(
    (x, y) => x[0] - y[0],
  )
  let below = 0
  let wins = 0
  for (const [, isSame] of all) {
    if (isSame === 1) wins += below
    else below++
  }
  return wins / (same.length * other.length)
}

function finds(queries: readonly Embedded[], answers: readonly Embedded[], cosine: Cosine): number {
  return mean(queries.map((query, i) => (nearest(query, answers, cosine) === i ? 1 : 0)))
}

function ranks(queries: readonly Embedded[], answers: readonly Embedded[], cosine: Cosine): number {
  return mean(
    queries.map((query, i) => {
      const cosines = answers.map(answer => cosine(query, answer))
      const own = cosines[i] ?? -1
      return 1 / (1 + cosines.filter((other, j) => j !== i && other >= own).length)
    }),
  )
}

function nearest(query: Embedded, answers: readonly Embedded[], cosine: Cosine): number {
  let best = -1
  let highest = -2
  answers.forEach((answer, i) => {
    if (answer === query) return
    const value = cosine(query, answer)
    if (value > highest) [best, highest] = [i, value]
  })
  return best
}

function misspell(text: string): string {
  const random = chance(text.length * 7919 + text.charCodeAt(0))
  return text.replace(/[A-Za-z]{4,}/g, word => mistype(word, random))
}

function sample<T>(items: readonly T[]): T[] {
  const random = chance(5)
  return items
    .map(item => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, SAMPLE)
    .map(({ item }) => item)
}

function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map(item => [key(item), item])).values()]
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector))
  return length > 0 ? vector.map(value => value / length) : vector
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const options = process.argv.slice(2)
const [dataFolder, modelFile, part = 'test'] = options.filter(one => !one.startsWith('--'))
if (!dataFolder || !modelFile || (part !== 'dev' && part !== 'test'))
  throw new Error('usage: evaluate.ts <data folder> <model file> [dev|test] [--tune]')
evaluate(dataFolder, modelFile, part, options.includes('--tune'))
