/**
 * Raw data → numbers for train.py: `node prepare.ts <data folder> <work folder>`.
 *
 * Writes settings.json, tokens.txt, idf.f32, the texts as runs of ids (ids at and above the number of tokens are words spelled
 * by pieces), the pairs, and for each token up to three spelled forms (right, and with two typing errors) that stand in for it
 * now and then, so that the rows of the pieces learn what words mean.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hash, pieceHashes, stem } from '../../src/engines/vectors/features.ts'
import type { TokenKind } from '../../src/engines/vectors/tokens.ts'
import { TokenReader } from '../../src/engines/vectors/tokens.ts'
import type { Pair, Synset, Utterance } from './sources.ts'
import { readNeighbours, readPlainTexts, readTatoeba, readUtterances, readWordnet } from './sources.ts'
import { partOfIntent, partOfSynset, splitTranslations } from './splits.ts'
import { chance, mistype } from './typing.ts'

const TOKENS = 18_500
const HAN_PAIRS = 3_500
const PIECES = 4_500
const PARTNERS = 3
const LARGEST_INTENT = 250
/** How often a source's pairs are drawn, relative to its size. */
const WEIGHTS: Record<string, number> = {
  tatoeba: 3,
  'tldr-zh': 3,
  tldr: 0.5,
  standardebooks: 0.5,
  'wordnet-synonym': 1,
  crosswoz: 0.5,
}

const MAX_IDF = 10

interface Read {
  readonly text: string
  readonly source: string
  readonly tokens: readonly (readonly [TokenKind, string])[]
}

function prepare(data: string, work: string): void {
  const variants = new Map(
    readFileSync(new URL('variants.txt', import.meta.url), 'utf8')
      .trim()
      .split('\n')
      .map(line => [...line] as [string, string]),
  )
  const pairs = collectPairs(data)
  const texts = new Map<string, Read>()
  const read = (text: string, source: string) => {
    if (!texts.has(text)) texts.set(text, { text, source, tokens: readTokens(text, variants) })
  }
  for (const { a, b, source } of pairs) {
    read(a, source)
    read(b, source)
  }
  const paired = texts.size
  for (const text of readPlainTexts(data)) read(text, 'plain')
  const all = [...texts.values()]
  const tokens = chooseTokens(all)
  const idf = weigh(all, tokens)
  const speller = new Speller(tokens)
  writeTexts(work, all, speller)
  writePairs(work, pairs, texts)
  writeFileSync(join(work, 'alternates.u32'), speller.alternates())
  writeFileSync(join(work, 'spelled.txt'), speller.lines())
  writeFileSync(join(work, 'tokens.txt'), tokens.join('\n'))
  writeFileSync(join(work, 'idf.f32'), idf)
  const settings = { tokens: tokens.length, pieces: PIECES, texts: all.length, paired, pairs: pairs.length }
  writeFileSync(join(work, 'settings.json'), JSON.stringify(settings))
  console.log(settings)
}

function collectPairs(data: string): Pair[] {
  const utterances = readUtterances(data)
  const translations = splitTranslations(readTatoeba(data))
  const synsets = readWordnet(data)
  const held = heldTexts(utterances, translations, synsets)
  const found: Pair[] = [...readNeighbours(data), ...pairUtterances(utterances)]
  for (const { en, zh } of translations.train) found.push({ source: 'tatoeba', a: en, b: zh, group: `tatoeba ${en}` })
  for (const synset of synsets) {
    if (partOfSynset(synset) === 'train') found.push(...pairSynset(synset))
  }
  const useful = ({ a, b }: Pair) => a.trim() !== '' && b.trim() !== '' && a !== b && !held.has(a) && !held.has(b)
  return found.filter(useful)
}

/** Texts of the development and test parts: they may not come in by another door either. */
function heldTexts(
  utterances: readonly Utterance[],
  translations: ReturnType<typeof splitTranslations>,
  synsets: readonly Synset[],
): Set<string> {
  const held = new Set<string>()
  for (const one of utterances) if (partOfIntent(one) !== 'train') held.add(one.text)
  for (const { en, zh } of [...translations.dev, ...translations.test]) held.add(en).add(zh)
  for (const one of synsets) {
    if (partOfSynset(one) !== 'train') for (const text of [...one.definition, ...one.example]) held.add(text)
  }
  return held
}

function pairSynset({ members, definition, example, id: group }: Synset): Pair[] {
  const [meaning] = definition
  if (!meaning) return []
  const found: Pair[] = []
  for (const member of members.slice(0, 3)) found.push({ source: 'wordnet', a: member, b: meaning, group })
  for (const use of example.slice(0, 3)) {
    found.push({ source: 'wordnet-example', a: use, b: `${members[0]}: ${meaning}`, group })
  }
  for (const [i, a] of members.entries()) {
    const b = members[i + 1]
    if (b) found.push({ source: 'wordnet-synonym', a, b, group })
  }
  return found
}

function pairUtterances(utterances: readonly Utterance[]): Pair[] {
  const groups = new Map<string, { source: string; texts: string[] }>()
  for (const utterance of utterances) {
    if (partOfIntent(utterance) !== 'train') continue
    const key = `${utterance.source} ${utterance.intent}`
    const group = groups.get(key) ?? { source: `${utterance.source}-intent`, texts: [] }
    group.texts.push(utterance.text)
    groups.set(key, group)
  }
  const found: Pair[] = []
  for (const [group, { source, texts }] of groups) {
    const random = chance(hash(group))
    const free = [...new Set(texts)].slice(0, LARGEST_INTENT)
    for (const a of free) {
      for (let i = 0; i < PARTNERS; i++) {
        const b = free[Math.floor(random() * free.length)]
        if (b) found.push({ source, a, b, group })
      }
    }
  }
  return found
}

function readTokens(text: string, variants: ReadonlyMap<string, string>): [TokenKind, string][] {
  const tokens: [TokenKind, string][] = []
  const reader = new TokenReader(text.slice(0, 2000), variants)
  while (
    reader.read(text.length, (kind, token) => {
      if (kind !== 'silent' && kind !== 'number') tokens.push([kind, token])
    })
  );
  return tokens
}

/** The most frequent tokens that occur in at least three texts; pairs of Han characters have a quota, so that English keeps its words. */
function chooseTokens(texts: readonly Read[]): string[] {
  const counts = new Map<string, { kind: TokenKind; count: number }>()
  for (const { tokens, source } of texts) {
    // Rare words of WordNet are worth a row, but not before words that people write.
    const weight = source.startsWith('wordnet') ? 0.5 : 1
    for (const [kind, token] of new Map(tokens.map(one => [one[1], one])).values()) {
      const known = counts.get(token)
      if (known === undefined) counts.set(token, { kind, count: weight })
      else known.count += weight
    }
  }
  const ranked = [...counts].sort((a, b) => b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1))
  const pairs = ranked.filter(([, { kind, count }]) => kind === 'pair' && count >= 3).slice(0, HAN_PAIRS)
  const others = ranked.filter(([, { kind, count }]) => kind !== 'pair' && count >= 1.5).slice(0, TOKENS - pairs.length)
  return [...others, ...pairs].sort((a, b) => b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1)).map(([token]) => token)
}

/** Inverse document frequency by stem, each source having the same say, Chinese and other tokens each within the texts of their script. */
function weigh(texts: readonly Read[], tokens: readonly string[]): Float32Array {
  const sizes = new Map<string, number>()
  const seen = new Map<string, Map<string, number>>()
  for (const { tokens: read, source } of texts) {
    const chinese = read.some(([kind]) => kind === 'han')
    const place = `${chinese ? 'zh' : 'en'} ${source}`
    sizes.set(place, (sizes.get(place) ?? 0) + 1)
    for (const key of new Set(read.map(([kind, token]) => (kind === 'word' ? stem(token) : token)))) {
      const places = seen.get(key) ?? new Map<string, number>()
      places.set(place, (places.get(place) ?? 0) + 1)
      seen.set(key, places)
    }
  }
  const places = [...sizes].filter(([, size]) => size >= 500)
  const idf = tokens.map(token => {
    const language = /\p{Script=Han}/u.test(token) ? 'zh ' : 'en '
    const own = places.filter(([place]) => place.startsWith(language))
    const counted = seen.get(stem(token)) ?? seen.get(token)
    const share = own.reduce((sum, [place, size]) => sum + (counted?.get(place) ?? 0) / size, 0) / own.length
    return Math.min(MAX_IDF, -Math.log(share + 1e-6))
  })
  return Float32Array.from(idf)
}

class Speller {
  readonly #tokens: readonly string[]
  readonly #rows = new Map<string, number>()
  readonly #stems = new Map<string, number>()
  readonly #spelled = new Map<string, number>()

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
    tokens.forEach((token, row) => {
      this.#rows.set(token, row)
      if (!this.#stems.has(stem(token))) this.#stems.set(stem(token), row)
    })
  }

  /** The id that training uses for a token, as the run time will read it; nothing for an unknown pair. */
  id([kind, token]: readonly [TokenKind, string]): number | undefined {
    const row = this.#rows.get(token) ?? (kind === 'word' ? this.#stems.get(stem(token)) : undefined)
    if (row !== undefined || kind === 'pair') return row
    return this.#spell(token)
  }

  /** Three ids per token that may stand in for it; its own row where it has no other form. */
  alternates(): Uint32Array {
    return Uint32Array.from(
      this.#tokens.flatMap((token, row) => {
        if (!/^[a-z']{4,}$/.test(token)) return [row, row, row]
        const random = chance(hash(token, 3))
        return [token, mistype(token, random), mistype(token, random)].map(form => this.#spell(form))
      }),
    )
  }

  /** One line per spelled word: the buckets of its pieces. */
  lines(): string {
    const buckets = (word: string) => pieceHashes(word).map(bits => bits % PIECES)
    return [...this.#spelled.keys()].map(word => buckets(word).join(' ')).join('\n')
  }

  #spell(word: string): number {
    const known = this.#spelled.get(word) ?? this.#spelled.size
    this.#spelled.set(word, known)
    return this.#tokens.length + known
  }
}

function writeTexts(work: string, texts: readonly Read[], speller: Speller): void {
  const starts = [0]
  const ids: number[] = []
  for (const { tokens } of texts) {
    for (const token of tokens) {
      const id = speller.id(token)
      if (id !== undefined) ids.push(id)
    }
    starts.push(ids.length)
  }
  writeFileSync(join(work, 'starts.u32'), Uint32Array.from(starts))
  writeFileSync(join(work, 'ids.u32'), Uint32Array.from(ids))
}

function writePairs(work: string, pairs: readonly Pair[], texts: ReadonlyMap<string, Read>): void {
  const places = new Map([...texts.keys()].map((text, i) => [text, i]))
  const groups = new Map<string, number>()
  const sources = new Map<string, number>()
  const numbers = pairs.flatMap(({ a, b, group, source }) => {
    if (!groups.has(group)) groups.set(group, groups.size)
    sources.set(source, (sources.get(source) ?? 0) + 1)
    return [places.get(a) ?? 0, places.get(b) ?? 0, groups.get(group) ?? 0]
  })
  writeFileSync(join(work, 'pairs.u32'), Uint32Array.from(numbers))
  writeFileSync(join(work, 'weights.f32'), Float32Array.from(pairs.map(({ source }) => WEIGHTS[source] ?? 1)))
  console.log(Object.fromEntries(sources))
}

const [dataFolder, workFolder] = process.argv.slice(2)
if (!dataFolder || !workFolder) throw new Error('usage: prepare.ts <data folder> <work folder>')
prepare(dataFolder, workFolder)
