import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { UsageError } from './run.ts'

/** A text from a file or from standard input, in blocks that can be tokenised one after another. */
export interface TextBlocks {
  /** Bytes of the file; undefined when it is not known before the end. */
  readonly sizeBytes: number | undefined
  /** Bytes read so far. */
  readBytes: number
  blocks(): AsyncGenerator<string, void>
}

/**
 * Opens a file, or standard input for `-`.
 * @param blockLength characters of one block; `whole` for all in one
 * @throws UsageError for what cannot be read, is not UTF-8, or is too large
 */
export async function openText(name: string, blockLength: number | 'whole'): Promise<TextBlocks> {
  const sizeBytes = name === '-' ? undefined : await sizeOf(name)
  const most = blockLength === 'whole' ? wholeMax : stretchMax
  const text: TextBlocks = {
    sizeBytes,
    readBytes: 0,
    async *blocks() {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      let held = ''
      for await (const chunk of name === '-' ? process.stdin : createReadStream(name)) {
        text.readBytes += chunk.length
        held += decoded(decoder, chunk, name)
        if (held.length > most) throw tooLarge(name, blockLength)
        if (blockLength === 'whole' || held.length < blockLength) continue
        const cut = lastCut(held)
        if (cut === 0) continue
        yield held.slice(0, cut)
        held = held.slice(cut)
      }
      held += decoded(decoder, undefined, name)
      if (held !== '') yield held
    },
  }
  return text
}

/** Characters that a model's own tokenizer takes at once. */
const wholeMax = 16_777_216
/** Characters between two places where a text can be cut. */
const stretchMax = 268_435_456

/** How far back a place for a cut is looked for. */
const cutSearch = 65_536
const letter = /^\p{L}$/u
const visible = /^\S$/

/**
 * The last place where a text can be cut so that the tokens of both parts are those of the whole, in every encoding of OpenAI's: before
 * a word with the one space in front of it, or after the one line feed in front of a word. 0 when there is none near the end.
 */
export function lastCut(text: string): number {
  for (let at = text.length - 2; at > Math.max(1, text.length - cutSearch); at--) {
    const before = text[at] === ' ' ? at : text[at] === '\n' ? at + 1 : 0
    if (before > 0 && letter.test(text[at + 1]!) && visible.test(text[at - 1]!)) return before
  }
  return 0
}

async function sizeOf(name: string): Promise<number | undefined> {
  try {
    const found = await stat(name)
    if (found.isDirectory()) throw new UsageError(`${name} is a folder. Name a file, or - for standard input.`)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    throw unreadable(name, error)
  }
}

function unreadable(name: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return new UsageError(`There is no file ${name}. For standard input, write - instead.`)
  if (code === 'EACCES') return new UsageError(`${name} may not be read by this user.`)
  return error instanceof Error ? error : new Error(String(error))
}

type Decoder = InstanceType<typeof TextDecoder>

function decoded(decoder: Decoder, chunk: Uint8Array | undefined, name: string): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
  } catch {
    const what = name === '-' ? 'Standard input' : name
    throw new UsageError(`${what} is not UTF-8 text. Convert it first, for example: iconv -f LATIN1 -t UTF-8`)
  }
}

function tooLarge(name: string, blockLength: number | 'whole'): UsageError {
  return new UsageError(
    blockLength === 'whole'
      ? `${name} is too long for the tokenizer of a model: it takes ${wholeMax >> 20} million characters at once. Split it, or use --encoding.`
      : `${name} holds ${stretchMax >> 20} million characters without a space. Split it.`,
  )
}
