import type { Call, Engine } from '../../engines/engine.ts'

/** How a request gets its model into memory, and lets go of it. */
export interface Stay {
  /** Resolves to true when the model is there, and stays until `leave`; to false when the signal was aborted first. @throws Fault */
  enter(signal: AbortSignal): Promise<boolean>
  leave(): void
  close(): Promise<void>
}

/** The same engine, whose requests begin when its model is in memory, and keep it there. */
export function held(engine: Engine, { enter, leave, close }: Stay): Engine {
  async function* streamed<Chunk>(call: Call, begin: () => AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    if (!(await enter(call.signal))) return
    try {
      yield* begin()
    } finally {
      leave()
    }
  }
  async function whole<Reply>(call: Call, run: () => Promise<Reply>): Promise<Reply> {
    if (!(await enter(call.signal))) call.signal.throwIfAborted()
    try {
      return await run()
    } finally {
      leave()
    }
  }
  const relay = async (...[path, request, call]: Parameters<NonNullable<Engine['relay']>>) => {
    if (!(await enter(call.signal))) call.signal.throwIfAborted()
    const left = onceOnly(leave)
    try {
      const relayed = await engine.relay!(path, request, call)
      if (relayed.kind === 'json') left()
      // A stream that nobody reads is aborted.
      else call.signal.addEventListener('abort', left, { once: true })
      return relayed.kind === 'json'
        ? relayed
        : { ...relayed, pipe: (...to: Parameters<typeof relayed.pipe>) => relayed.pipe(...to).finally(left) }
    } catch (error) {
      left()
      throw error
    }
  }
  return {
    get name() {
      return engine.name
    },
    get abilities() {
      return engine.abilities
    },
    accepts: engine.accepts,
    ...(engine.takes && { takes: engine.takes }),
    ...(engine.chat && { chat: (request, call) => streamed(call, () => engine.chat!(request, call)) }),
    ...(engine.complete && { complete: (request, call) => streamed(call, () => engine.complete!(request, call)) }),
    ...(engine.embed && { embed: (request, call) => whole(call, () => engine.embed!(request, call)) }),
    ...(engine.rerank && { rerank: (request, call) => whole(call, () => engine.rerank!(request, call)) }),
    ...(engine.relay && { relay }),
    ...(engine.takes && { takes: engine.takes }),
    ...(engine.tokenizer && { tokenizer: engine.tokenizer }),
    status: () => engine.status(),
    close,
  }
}

function onceOnly(run: () => void): () => void {
  let open = true
  return () => {
    if (open) run()
    open = false
  }
}
