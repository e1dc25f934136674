import { setImmediate } from 'node:timers/promises'
import { inWords } from '../../../lib/bytes.ts'
import { Fault } from '../../../lib/faults.ts'
import { parseJson } from '../../../lib/json.ts'
import { isRecord } from '../../../wire/walk.ts'
import { type Line, linesOf } from './lines.ts'
import type { JsonlBounds, JsonlEntry, JsonlReport, LineForm, LineProblem } from './types.ts'

/** Of one line. Room for the pictures of a request; parsing it takes less than 50 ms. */
export const lineBytesMax = 8_388_608
const maxDepth = 64
/** Lines from this size on are parsed with a turn of the event loop before and after. */
const largeBytes = 262_144
/** Commas in a large line: a list of millions of numbers has no keys to count, and takes a tenth of a second to parse. */
const commasMax = 400_000
const comma = 0x2c

/**
 * The objects of a JSONL file in their order, and in the place of each line that is none, what is wrong with it. The event loop is
 * never held for long: small lines are read in slices, large ones alone.
 */
export async function* readJsonl(
  bytes: AsyncIterable<Uint8Array>,
  { lineBytesMax: bytesMax = lineBytesMax }: Pick<JsonlBounds, 'lineBytesMax'> = {},
): AsyncGenerator<JsonlEntry> {
  for await (const line of linesOf(bytes, bytesMax)) {
    const isLarge = line.bytes !== undefined && line.bytes.length > largeBytes
    if (isLarge) await setImmediate()
    yield entryOf(line, bytesMax)
    if (isLarge) await setImmediate()
  }
}

/**
 * Reads a JSONL file to its end, or to its `problemsMax`-th problem.
 * @param form what an object must look like; without it, any object is good
 */
export async function checkJsonl(
  bytes: AsyncIterable<Uint8Array>,
  form: LineForm = () => undefined,
  { linesMax = Number.POSITIVE_INFINITY, problemsMax = 1, ...bounds }: JsonlBounds = {},
): Promise<JsonlReport> {
  const problems: LineProblem[] = []
  let lines = 0
  for await (const entry of readJsonl(bytes, bounds)) {
    lines++
    if (lines > linesMax) {
      const message = `The file holds more than ${linesMax} lines.`
      problems.push({ line: entry.line, param: null, code: 'too_many_lines', message })
      break
    }
    const problem = 'problem' in entry ? entry.problem : form(entry.value, entry.line)
    if (problem === undefined) continue
    problems.push({ ...problem, line: entry.line })
    if (problems.length >= problemsMax) break
  }
  if (lines === 0) problems.push({ line: 1, param: null, code: 'empty_file', message: 'The file holds no lines.' })
  return { lines, problems }
}

function entryOf({ number: line, bytes }: Line, bytesMax: number): JsonlEntry {
  const bad = (code: string, message: string): JsonlEntry => ({ line, problem: { line, param: null, code, message } })
  if (bytes === undefined) return bad('line_too_long', `The line is too long: at most ${inWords(bytesMax)} are read.`)
  if (bytes.length > largeBytes && commasIn(bytes) > commasMax)
    return bad('line_too_complex', `The line holds too many values: at most ${commasMax} commas may stand in it.`)
  try {
    const value = parseJson(bytes, { maxDepth })
    if (isRecord(value)) return { line, value, sizeBytes: bytes.length }
    return bad('invalid_json_line', 'The line is no JSON object.')
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error.code !== null) return bad('line_too_complex', 'The line is nested too deeply, or holds too many keys.')
    const because = typeof error.cause === 'string' ? `: ${error.cause}` : ''
    return bad('invalid_json_line', `The line is not valid JSON${because}.`)
  }
}

function commasIn(bytes: Buffer): number {
  let count = 0
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === comma) count++
  return count
}
