import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { padding, Vocabulary } from './vocabulary.ts'

/** The rank tables that OpenAI published; several encodings share one. */
export type TableName = 'r50k_base' | 'p50k_base' | 'cl100k_base' | 'o200k_base'

/** Reads and indexes a table, holding the thread for some tens of milliseconds. @throws Error when the package's file is absent or broken */
export function readTable(name: TableName): Vocabulary {
  const reader = new RankReader(readFileSync(pathOf(name)))
  while (!reader.read(Number.MAX_SAFE_INTEGER));
  return reader.vocabulary()
}

/** The same, giving way to other work every few milliseconds. @throws Error when the package's file is absent or broken */
export async function loadTable(name: TableName): Promise<Vocabulary> {
  const reader = new RankReader(await readFile(pathOf(name)))
  while (!reader.read(sliceLines)) await setImmediate()
  await setImmediate()
  const vocabulary = reader.vocabulary()
  await setImmediate()
  while (!vocabulary.characters.prepare(sliceLines)) await setImmediate()
  return vocabulary
}

const sliceLines = 20_000

/** The `.tiktoken` files as OpenAI published them come with the package gpt-tokenizer (MIT), byte for byte. */
function pathOf(name: TableName): string {
  return fileURLToPath(import.meta.resolve(`gpt-tokenizer/data/${name}.tiktoken`))
}

/** Reads lines of `<base64 of the bytes> <rank>`, ranks ascending. */
class RankReader {
  readonly #source: Uint8Array
  readonly #bytes: Uint8Array
  readonly #offsets: Uint32Array
  #at = 0
  #written = 0
  #next = 0

  constructor(source: Uint8Array) {
    this.#source = source
    // Base64 has four characters for three bytes, and every line has a blank, a digit and a line feed besides.
    this.#bytes = new Uint8Array(Math.ceil((source.length * 3) / 4) + padding)
    this.#offsets = new Uint32Array(Math.ceil(source.length / 6) + 2)
  }

  /** Reads up to so many lines; true when the table is read. */
  read(linesMax: number): boolean {
    const source = this.#source
    const bytes = this.#bytes
    let at = this.#at
    let written = this.#written
    for (let lines = 0; lines < linesMax && at < source.length; lines++) {
      const start = written
      while (source[at] !== blank) {
        const a = digitOf[source[at]!]!
        const b = digitOf[source[at + 1]!]!
        const c = digitOf[source[at + 2]!]!
        const d = digitOf[source[at + 3]!]!
        if ((a | b | c | d) < 0) throw new Error(`the rank table is broken at byte ${at}`)
        bytes[written++] = (a << 2) | (b >> 4)
        if (source[at + 2] !== equals) bytes[written++] = (b << 4) | (c >> 2)
        if (source[at + 3] !== equals) bytes[written++] = (c << 6) | d
        at += 4
      }
      at++
      let rank = 0
      for (; at < source.length && source[at] !== lineFeed; at++) rank = rank * 10 + source[at]! - zero
      at++
      if (!(rank >= this.#next)) throw new Error(`the rank table is broken before byte ${at}`)
      // A skipped rank (p50k has one: its special token stands inside the table) stays empty.
      while (this.#next <= rank) this.#offsets[this.#next++] = start
    }
    this.#at = at
    this.#written = written
    return at >= source.length
  }

  vocabulary(): Vocabulary {
    this.#offsets[this.#next] = this.#written
    return new Vocabulary(this.#bytes.slice(0, this.#written + padding), this.#offsets.slice(0, this.#next + 1))
  }
}

const blank = 0x20
const lineFeed = 0x0a
const equals = 0x3d
const zero = 0x30

/** The value of a base64 digit; `=` counts as 0, everything else is -1. */
const digitOf = new Int8Array(256).fill(-1)
for (const [value, digit] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  digitOf[digit.charCodeAt(0)] = value
}
digitOf[equals] = 0
