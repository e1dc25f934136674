import { classRuns } from './class-runs.ts'

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

/** Reads the runs digit by digit: this is part of every cold start. */
function expand(): Uint8Array {
  const classes = new Uint8Array(0x110000)
  let start = 0
  for (let at = 0; at < classRuns.length; at++) {
    const code = classRuns.charCodeAt(at++) - 48
    let length = 0
    for (; at < classRuns.length; at++) {
      const unit = classRuns.charCodeAt(at)
      if (unit === 32) break
      length = length * 36 + (unit < 58 ? unit - 48 : unit - 87)
    }
    const end = start + length
    // Most runs are short: a loop is faster than a call.
    if (length > 64) classes.fill(code, start, end)
    else for (let point = start; point < end; point++) classes[point] = code
    start = end
  }
  return classes
}
