import { classRuns } from './classRuns.ts'

/**
 * Classes of code points, as the splitting patterns of the encodings tell them apart. The sets are those of tiktoken's regex engine
 * (see `classes.generate.ts`), not those of the running Node.
 */

/** Lu, Lt: a capital. */
export const upper = 1
/** Ll: a small letter. */
export const lower = 2
/** Lm, Lo: letters without case; o200k takes them as capital and small alike. */
export const cased = 3
/** M: a mark; o200k takes it as a letter, the older encodings as punctuation. */
export const letterMark = 4
/** N */
export const number = 5
/** White space other than the two below. */
export const space = 6
/** CR and LF. */
export const newline = 7

/** The class of every code point, by code point: 1.1 MB, made once from 10 KB of runs. */
export const classOf: Uint8Array = expand()

function expand(): Uint8Array {
  const classes = new Uint8Array(0x110000)
  let at = 0
  for (const run of classRuns.split(' ')) {
    const length = Number.parseInt(run.slice(1), 36)
    const code = run.charCodeAt(0) - 48
    if (code !== 0) classes.fill(code, at, at + length)
    at += length
  }
  return classes
}
