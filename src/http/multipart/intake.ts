/** Of one buffer; for a small file, less. */
const bufferBytes = 131_072

/**
 * A file on its way from the parser to whoever takes it. Its pieces are copied into buffers that take turns, one filling while another
 * is being written, so that a file of any size costs as many as there are turns: what the socket brings is new memory each time, and
 * left to the collector it would come to 60 MB before that looks at it.
 */
export class Intake {
  readonly #filled: Buffer[] = []
  readonly #free: Buffer[] = []
  readonly #bufferBytes: number
  readonly #room: () => void
  #filling: Buffer | undefined
  #filledBytes = 0
  #takenBytes = 0
  #ended = false
  #failure: { error: unknown } | undefined
  #woken = Promise.withResolvers<void>()

  /**
   * @param bytesExpected about so many come at most
   * @param room is called when there is room again after `isFull`
   */
  constructor(bytesExpected: number, room: () => void) {
    this.#bufferBytes = Math.min(bufferBytes, Math.max(1024, bytesExpected))
    this.#room = room
  }

  /** Whether nothing should be added for now. Where something is, it is taken all the same. */
  get isFull(): boolean {
    return this.#filled.length > 0
  }

  /** Bytes that were copied: what they were copied from is not looked at any more. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  add(piece: Buffer): void {
    if (this.#failure !== undefined) return
    for (let at = 0; at < piece.length; ) {
      this.#filling ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bufferBytes)
      const copied = piece.copy(this.#filling, this.#filledBytes, at)
      at += copied
      this.#filledBytes += copied
      if (this.#filledBytes === this.#filling.length) this.#turn()
    }
    this.#takenBytes += piece.length
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#filledBytes > 0) this.#turn()
    this.#ended = true
    this.#woken.resolve()
  }

  /** Nothing more comes, and what came is not the whole file. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#woken.resolve()
  }

  /** To be read once. A piece is good until the next one is asked for. @throws what `fail` was told */
  async *bytes(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error
      const piece = this.#filled.shift()
      if (piece !== undefined) {
        this.#room()
        yield piece
        if (piece.length === piece.buffer.byteLength) this.#free.push(piece)
      } else if (this.#ended) return
      else {
        await this.#woken.promise
        this.#woken = Promise.withResolvers()
      }
    }
  }

  #turn(): void {
    this.#filled.push(this.#filling!.subarray(0, this.#filledBytes))
    this.#filling = undefined
    this.#filledBytes = 0
    this.#woken.resolve()
  }
}

/**
 * Gives the memory of a chunk back at once that nobody looks at any more. One that shares its memory with others is left to the collector.
 */
export function released({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
