import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { eachPiece, encodingTokenizer, type Pieces, type Tokenizer } from '../../src/engines/tokenizer.ts'
import { silentLog } from '../../src/lib/log.ts'
import { slicedJson } from '../../src/lib/sliced-json.ts'
import { builtIn } from '../../src/platform/catalogue.ts'
import { modelsIn } from '../../src/platform/folder.ts'
import { encodingNames, findEncodingName, isEncodingName } from '../../src/tokens/index.ts'
import { modelsFolder } from '../../src/wiring.ts'
import { howFar, Progress } from '../progress.ts'
import { UsageError } from '../run.ts'
import { configHere, openHere } from '../surroundings.ts'
import { openText } from '../text-blocks.ts'

const usage = 'parlance tokens [--encoding NAME | --model NAME] [--ids] [--pieces] [--json] FILE|-'
const defaultEncoding = 'o200k_base'
const blockLength = 1_048_576

interface Asked {
  file: string
  ids: boolean
  pieces: boolean
  json: boolean
}

/** Counts the tokens of a text, and shows them. Needs no server. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      encoding: { type: 'string' },
      model: { type: 'string' },
      ids: { type: 'boolean', default: false },
      pieces: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'data-dir': { type: 'string' },
    },
  })
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new UsageError(`Name one file, or - for standard input: ${usage}`)
  const counter = await counterFor(values)
  process.stdout.on('error', endQuietly)
  try {
    await count(counter, { file, ids: values.ids, pieces: values.pieces, json: values.json })
    return 0
  } finally {
    await counter.close()
  }
}

/** Whoever reads our output (`head`) has read enough. */
function endQuietly(error: Error): void {
  if ('code' in error && error.code === 'EPIPE') process.exit(0)
  throw error
}

interface Counter {
  tokenizer: Tokenizer
  /** A text can be cut where `text-blocks.ts` says. */
  inBlocks: boolean
  close(): Promise<void>
}

/** By encoding, by a model of the settings, or by the name that OpenAI gave a model. @throws UsageError */
async function counterFor(asked: { encoding?: string; model?: string; 'data-dir'?: string }): Promise<Counter> {
  const { encoding, model } = asked
  const ofEncoding = (name: string): Counter => ({
    tokenizer: encodingTokenizer(name, model === undefined ? {} : { model }),
    inBlocks: true,
    close: async () => {},
  })
  if (encoding !== undefined && model !== undefined)
    throw new UsageError('Give either --encoding or --model, not both.')
  if (model === undefined) {
    const name = encoding ?? defaultEncoding
    if (isEncodingName(name)) return ofEncoding(name)
    throw new UsageError(`There is no encoding '${name}'. The encodings are ${encodingNames.join(', ')}.`)
  }
  const config = configHere({ data_dir: asked['data-dir'] })
  const found = modelsIn(modelsFolder(config)).map(({ name }) => name)
  const ours = [...Object.keys(config.models), ...Object.keys(config.aliases), ...Object.values(builtIn), ...found]
  if (ours.includes(model)) {
    const parlance = await openHere(config, { log: silentLog })
    const { models } = parlance.services
    const tokenizer = models.tokenizerOf(models.resolve(model))
    return { tokenizer, inBlocks: isEncodingName(tokenizer.name), close: () => parlance.close() }
  }
  const name = findEncodingName(model)
  if (name !== undefined) return ofEncoding(name)
  throw new UsageError(
    `'${model}' is neither a model of these settings nor one of OpenAI's. Give --encoding: ${encodingNames.join(', ')}.`,
  )
}

interface Counts {
  encoding: string
  count: number
  characters: number
  bytes: number
}

interface Block {
  tokens: Uint32Array
  pieces: Pieces | undefined
}

async function count({ tokenizer, inBlocks }: Counter, asked: Asked): Promise<void> {
  const { ids } = tokenizer
  if (ids === undefined && (asked.ids || asked.pieces))
    throw new UsageError(`The tokens of ${tokenizer.name} have no numbers: leave out --ids and --pieces.`)
  const text = await openText(asked.file, inBlocks ? blockLength : 'whole')
  const progress = new Progress(elapsedMs => howFar(text.readBytes, text.sizeBytes, elapsedMs))
  const kept: Block[] = []
  let total = 0
  let characters = 0
  try {
    for await (const part of text.blocks()) {
      characters += codePoints(part)
      if (ids === undefined || !(asked.ids || asked.pieces)) {
        total += await tokenizer.count(part)
        continue
      }
      const tokens = await ids.encode(part, false)
      total += tokens.length
      const block = { tokens, pieces: asked.pieces ? await ids.pieces(tokens) : undefined }
      if (asked.json) kept.push(block)
      else await writeLines(block, asked)
    }
  } finally {
    progress.end()
  }
  for (const note of tokenizer.assumptions) process.stderr.write(`parlance: ${note}\n`)
  const counts = { encoding: tokenizer.name, count: total, characters, bytes: text.readBytes }
  if (asked.json) await writeJson(counts, tokenizer.assumptions, kept, asked)
  else if (!asked.ids && !asked.pieces) await write(summary(counts))
}

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** A number for programs, a line for people. */
function summary({ encoding, count, characters, bytes }: Counts): string {
  if (!process.stdout.isTTY) return `${count}\n`
  return `${count} tokens of ${encoding} (${characters} characters, ${bytes} bytes)\n`
}

/** One line a token: its number, its text as JSON, or both with a tab between. */
async function writeLines({ tokens, pieces }: Block, asked: Asked): Promise<void> {
  const texts = pieces === undefined ? undefined : eachPiece(pieces)
  let lines: string[] = []
  for (const token of tokens) {
    const piece = texts === undefined ? [] : [JSON.stringify(texts.next().value)]
    lines.push([...(asked.ids ? [token] : []), ...piece].join('\t'))
    if (lines.length < linesMax) continue
    await write(`${lines.join('\n')}\n`)
    lines = []
  }
  if (lines.length > 0) await write(`${lines.join('\n')}\n`)
}

const linesMax = 8192

async function writeJson(
  counts: Counts,
  assumptions: readonly string[],
  blocks: readonly Block[],
  asked: Asked,
): Promise<void> {
  const json = await slicedJson({
    ...counts,
    ...(assumptions.length > 0 && { assumptions }),
    ...(asked.ids && { tokens: tokensOf(blocks) }),
    ...(asked.pieces && { pieces: piecesOf(blocks) }),
  })
  await write(json)
  await write('\n')
}

function* tokensOf(blocks: readonly Block[]): Generator<number, void> {
  for (const { tokens } of blocks) yield* tokens
}

function* piecesOf(blocks: readonly Block[]): Generator<string, void> {
  for (const { pieces } of blocks) if (pieces !== undefined) yield* eachPiece(pieces)
}

/** At the reader's pace. */
async function write(output: string | Buffer): Promise<void> {
  if (!process.stdout.write(output)) await once(process.stdout, 'drain')
}
