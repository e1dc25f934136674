/**
 * Makes the training data: `node generate.ts --data FOLDER --out FOLDER [--tokens N] [--seed N]`.
 *
 * Learns the vocabulary from a sample of the documents, then writes tokens.bin (uint16), mask.bin (uint8: the weight
 * of the token in the loss), lengths.bin (uint32, tokens per document), vocabulary.json and shape.json.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Segment } from './chat.ts'
import { makeMixture, STAGES } from './mixture.ts'
import { Chance } from './random.ts'
import { readSources } from './sources.ts'
import type { Vocabulary } from './tokenizer.ts'
import { SPECIAL, Tokenizer, trainVocabulary } from './tokenizer.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/data' },
    out: { type: 'string', default: 'training/language/out' },
    tokens: { type: 'string', default: '20e6' },
    seed: { type: 'string', default: '1' },
    vocabulary: { type: 'string' },
  },
})

/** Tokens that the model need not predict are still predicted this often: a little language modelling of the prompts. */
const PROMPT_SHARE = 0.05
const BUDGET = { characters: 1000, pieces: 1500, spaced: 600 }
/** Where to stop is one token of an answer, and the hardest one in counting: it weighs more. */
const END_WEIGHT = 3
const LONGEST = 1000

const sources = readSources(values.data)
const unwanted = readFileSync(join(values.data, 'ldnoobw/en'), 'utf8')
  .split('\n')
  .filter(line => line.trim())
const seed = Number(values.seed)
mkdirSync(values.out, { recursive: true })

const vocabulary =
  values.vocabulary && existsSync(values.vocabulary)
    ? (JSON.parse(readFileSync(values.vocabulary, 'utf8')) as Vocabulary)
    : learnVocabulary()
writeFileSync(join(values.out, 'vocabulary.json'), JSON.stringify(vocabulary))
const tokenizer = new Tokenizer(vocabulary)
writeFileSync(
  join(values.out, 'shape.json'),
  JSON.stringify({ vocab: vocabulary.tokens.length, pad: tokenizer.id('<|endoftext|>') }),
)
writeDocuments(Number(values.tokens))

function learnVocabulary(): Vocabulary {
  const maker = makeMixture(sources, seed + 1000, 'train', unwanted)
  const stage = STAGES.at(-1)
  if (!stage) throw new RangeError('no stage')
  const sample = Array.from({ length: 40_000 }, () =>
    maker
      .document(stage)
      .map(part => part.text.replaceAll(/<\|\w+\|>/g, ' '))
      .join(''),
  )
  const natural = sources.pairs.flat()
  return trainVocabulary([...sample, ...natural, ...sources.prose.slice(0, 3000)], BUDGET)
}

function writeDocuments(total: number): void {
  const maker = makeMixture(sources, seed, 'train', unwanted)
  const chance = new Chance(seed + 7)
  const files = {
    tokens: openSync(join(values.out, 'tokens.bin'), 'w'),
    mask: openSync(join(values.out, 'mask.bin'), 'w'),
  }
  const lengths: number[] = []
  let written = 0
  let learnt = 0
  for (const stage of STAGES) {
    const until = written + stage.share * total
    while (written < until) {
      const { ids, mask } = encode(maker.document(stage), chance)
      if (ids.length > LONGEST) continue
      writeSync(files.tokens, Uint16Array.from(ids))
      writeSync(files.mask, Uint8Array.from(mask))
      lengths.push(ids.length)
      written += ids.length
      learnt += mask.reduce((sum, bit) => sum + bit, 0)
    }
  }
  closeSync(files.tokens)
  closeSync(files.mask)
  writeFileSync(join(values.out, 'lengths.bin'), Uint32Array.from(lengths))
  console.log(
    `documents ${lengths.length} tokens ${written} predicted ${learnt} vocabulary ${vocabulary.tokens.length} (${SPECIAL.length} special)`,
  )
}

function encode(segments: readonly Segment[], chance: Chance): { ids: number[]; mask: number[] } {
  const end = tokenizer.id('<|im_end|>')
  const ids: number[] = []
  const mask: number[] = []
  for (const { text, learn } of segments) {
    for (const id of tokenizer.encodePrompt(text)) {
      ids.push(id)
      mask.push(learn ? (id === end ? END_WEIGHT : 1) : chance.maybe(PROMPT_SHARE) ? 1 : 0)
    }
  }
  return { ids, mask }
}
