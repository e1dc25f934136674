import type { Clock } from '../../lib/clock.ts'

/** A reply that was kept. */
export interface Kept {
  /** A document, or a stream from its first event to `data: [DONE]`. */
  readonly bytes: Buffer
  readonly isStream: boolean
  /** How long it is kept. */
  readonly ttlMs: number
}

interface Entry extends Kept {
  /** On the monotonic clock. */
  readonly atMs: number
}

/** How old a reply may be, and how long it must still be kept. */
export interface Freshness {
  readonly maxAgeMs: number
  readonly minFreshMs: number
}

/** What an entry takes beside its bytes: key, objects, its place in the map. Rounded up. */
export const entryOverheadBytes = 512

/** How often at most those are looked for that are over, and that nobody asks for again. */
const sweepMs = 60_000

/** Replies by their keys, at most so many bytes; those that were not asked for longest go first. */
export class Entries {
  readonly #clock: Clock
  readonly #maxBytes: number
  /** The one that was not asked for longest is the first. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #sweptMs: number

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock
    this.#maxBytes = maxBytes
    this.#sweptMs = clock.monotonic()
  }

  /** Of all that is kept, with what it takes beside the replies. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.size
  }

  /** A reply that is fresh enough, with its age. One that is over is thrown away. */
  find(key: string, { maxAgeMs, minFreshMs }: Freshness): { kept: Kept; ageMs: number } | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const ageMs = Math.max(0, this.#clock.monotonic() - entry.atMs)
    if (ageMs >= entry.ttlMs) {
      this.#remove(key, entry)
      return undefined
    }
    if (ageMs > maxAgeMs || entry.ttlMs - ageMs < minFreshMs) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return { kept: entry, ageMs }
  }

  /** Keeps a reply in place of an older one; others go until there is room. One that has no room at all is not kept. */
  put(key: string, reply: Kept): void {
    const nowMs = this.#clock.monotonic()
    this.#sweep(nowMs)
    const older = this.#entries.get(key)
    if (older !== undefined) this.#remove(key, older)
    const entry = { ...reply, bytes: alone(reply.bytes), atMs: nowMs }
    if (sizeOf(entry) > this.#maxBytes) return
    this.#entries.set(key, entry)
    this.#bytes += sizeOf(entry)
    for (const [name, other] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break
      this.#remove(name, other)
    }
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < sweepMs) return
    this.#sweptMs = nowMs
    for (const [key, entry] of this.#entries) if (nowMs - entry.atMs >= entry.ttlMs) this.#remove(key, entry)
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= sizeOf(entry)
  }
}

const sizeOf = ({ bytes }: Kept): number => bytes.length + entryOverheadBytes

/** Without the rest of a larger buffer that it may be a part of, and would keep. */
function alone(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
