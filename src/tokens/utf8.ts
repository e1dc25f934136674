import { setImmediate } from 'node:timers/promises'
import { padding } from './vocabulary.ts'

/**
 * A text as UTF-8 with room behind it for reads of whole words. A lone surrogate becomes U+FFFD, as in every tiktoken
 * (Python's falls back to UTF-16 with `replace`, the npm package to TextEncoder).
 */
export interface Utf8 {
  /** At least `length + padding` bytes. */
  readonly bytes: Uint8Array
  readonly view: DataView
  length: number
}

const encoder = new TextEncoder()

/** A buffer for short texts, one after another: what `shortUtf8` gives is valid until its next call. */
const short: Utf8 = room(16 * 1024)

/** @returns the text in a shared buffer when it is short, else in its own. */
export function toUtf8(text: string): Utf8 {
  const shared = text.length * 3 <= short.bytes.length - padding
  const result = shared ? short : room(Buffer.byteLength(text))
  result.length = encoder.encodeInto(text, result.bytes).written
  return result
}

/** The same with its own buffer, giving way to other work every megabyte. @throws the signal's reason when it is aborted */
export async function toUtf8InSlices(text: string, signal?: AbortSignal): Promise<Utf8> {
  const result = room(Buffer.byteLength(text))
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + sliceUnits, text.length)
    // Never between the halves of a pair.
    if (end < text.length && isLeading(text.charCodeAt(end - 1))) end--
    result.length += encoder.encodeInto(text.slice(at, end), result.bytes.subarray(result.length)).written
    at = end
    if (at < text.length) {
      await setImmediate()
      signal?.throwIfAborted()
    }
  }
  return result
}

const sliceUnits = 512 * 1024

const isLeading = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff

function room(sizeBytes: number): Utf8 {
  const bytes = new Uint8Array(sizeBytes + padding)
  return { bytes, view: new DataView(bytes.buffer), length: 0 }
}
