import { readFileSync } from 'node:fs'
import { decodeVectors } from './format.ts'
import { Model } from './model.ts'

/** A loaded embedding model: texts to unit vectors, without any other process or file. */
export interface Vectors {
  readonly name: string
  /** Length of a whole vector: the semantic components first, then the lexical ones. */
  readonly dimensions: number
  /** Longest text that the model is meant for, in its own tokens; longer ones still work. */
  readonly maxTokens: number
  /**
   * The unit vector of a text, the same on every call.
   *
   * `dimensions` (1 to all) keeps the first components and makes the rest unit length again, so that a caller who cuts a whole
   * vector gets the same result. The first 256 components hold the meaning, ordered so that any first few hold most of it;
   * those after 256 hold exact words, each at one place, so that a cut drops some words and keeps the others.
   * Throws a RangeError for other values. Never NaN: a text without words, such as white space, has a vector too.
   */
  embed(text: string, dimensions?: number): Float32Array
  /** `embed` in steps of a few milliseconds at most; run it with `inTurns` when others must not wait. */
  embedSteps(text: string, dimensions?: number): Generator<void, Float32Array, void>
  /** How many tokens the model reads: words, digits, Han characters, symbols and punctuation marks, one each; at least 1. */
  countTokens(text: string): number
  /** `countTokens` in steps of a few milliseconds at most. */
  countSteps(text: string): Generator<void, number, void>
}

/** Loads a model from a file's path or bytes. Throws an Error that says what is wrong when the file is no sound model. */
export function openVectors(file: Buffer | string): Vectors {
  const model = new Model(decodeVectors(typeof file === 'string' ? readFileSync(file) : file))
  const embedSteps = (text: string, dimensions = model.dimensions) => {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > model.dimensions) {
      throw new RangeError(`dimensions must be a whole number from 1 to ${model.dimensions}`)
    }
    return model.embed(text, dimensions)
  }
  return {
    name: model.file.header.name,
    dimensions: model.dimensions,
    maxTokens: MAX_TOKENS,
    embed: (text, dimensions) => atOnce(embedSteps(text, dimensions)),
    embedSteps,
    countTokens: text => atOnce(model.count(text)),
    countSteps: text => model.count(text),
  }
}

/** Runs steps to their result and lets the event loop turn between any two of them. Rejects with the signal's reason when it aborts. */
export async function inTurns<T>(steps: Generator<void, T, void>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted()
    const step = steps.next()
    if (step.done === true) return step.value
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}

const MAX_TOKENS = 8192

function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
