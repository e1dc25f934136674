/**
 * Derives `class-runs.ts` from tiktoken's own regex engine, so that a text is cut exactly where tiktoken cuts it, whatever Unicode
 * version the running Node has (Node 24 knows Unicode 17, tiktoken 1.0.22 knows 16).
 * `node src/tokens/classes.generate.ts` writes the file; the slow test derives the runs again and compares.
 */
import { writeFileSync } from 'node:fs'
import { Tiktoken } from 'tiktoken'
import { cased, letterMark, lower, newline, number, space, upper } from './classes.ts'

/** The order matters: a later row wins. Unnamed code points (punctuation, symbols, unassigned) have class 0. */
const rows: readonly (readonly [pattern: string, code: number])[] = [
  ['[\\p{Lu}\\p{Lt}]', upper],
  ['\\p{Ll}', lower],
  ['[\\p{Lm}\\p{Lo}]', cased],
  ['\\p{M}', letterMark],
  ['\\p{N}', number],
  ['\\s', space],
  ['[\\r\\n]', newline],
]

const blockSize = 0x1000

/** The classes of all code points as text: runs of `<class digit><length in base 36>`, joined by spaces. Takes about two seconds. */
export function deriveClassRuns(): string {
  const classes = new Uint8Array(0x110000)
  for (const [pattern, code] of rows) {
    for (const point of matching(pattern)) classes[point] = code
  }
  const runs: string[] = []
  for (let start = 0; start < classes.length; ) {
    let end = start + 1
    while (end < classes.length && classes[end] === classes[start]) end++
    runs.push(`${classes[start]}${(end - start).toString(36)}`)
    start = end
  }
  return runs.join(' ')
}

/** Every code point that tiktoken's engine finds with the pattern: over a vocabulary of single bytes what is not found leaves no token. */
function matching(pattern: string): Set<number> {
  const singleBytes = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte).toString('base64'))
  const engine = new Tiktoken(`! 0 ${singleBytes.join(' ')}`, {}, pattern)
  const found = new Set<number>()
  try {
    for (let block = 0; block < 0x110000; block += blockSize) {
      const points = Array.from({ length: blockSize }, (_, i) => block + i).filter(p => p < 0xd800 || p > 0xdfff)
      const text = points.map(p => String.fromCodePoint(p)).join('')
      const kept = Buffer.from(Uint8Array.from(engine.encode_ordinary(text))).toString('utf8')
      for (const character of kept) found.add(character.codePointAt(0) ?? 0)
    }
  } finally {
    engine.free()
  }
  return found
}

if (import.meta.main) {
  const lines = deriveClassRuns().match(/.{1,110}(?: |$)/g) ?? []
  const body = lines.map(line => `  '${line}'`).join(' +\n')
  writeFileSync(
    new URL('./class-runs.ts', import.meta.url),
    `/** Written by classes.generate.ts: the class of every code point, as runs of <class digit><length in base 36>. Unicode 16. */\nexport const classRuns =\n${body}\n`,
  )
}
