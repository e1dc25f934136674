import type { Call } from '../../engine.ts'
import type { PromptTokenizer } from '../../tokenizer.ts'
import type { Document } from '../document.ts'

/** Texts, or texts as the numbers of their tokens: never both in one request. */
type Inputs = string[] | number[][]

/** A request that may travel with others. */
export interface Joinable {
  /** Equal for requests that differ in their inputs alone, the caller's `user` included. */
  readonly key: string
  readonly inputs: Inputs
  /** UTF-8, or four for a token. */
  readonly bytes: number
}

/** A joinable request on its way, with who waits for it. */
export interface Part extends Joinable {
  readonly request: object
  readonly call: Call
  /** Of its inputs, by our own count. */
  readonly tokens: number
  /** Only the first call of these two counts. */
  resolve(reply: Document | Promise<Document>): void
  reject(reason: unknown): void
}

/** Characters of all fields but the input; requests with more travel alone. */
const keyLengthMax = 2048
/** What is counted at once, in some milliseconds (see `counting/thread.ts`); larger requests travel alone and lose nothing by it. */
export const partBytesMax = 65_536

/** Undefined: it travels alone. */
export function joinable(request: object, inputsMax: number): Joinable | undefined {
  const { input, model: _, ...rest }: { input?: unknown; model?: unknown } = { ...request } // all go to the same model
  const inputs = inputsOf(input)
  if (inputs === undefined || inputs.length === 0 || inputs.length > inputsMax) return undefined
  const bytes = inputs.reduce(
    (sum, one) => sum + (typeof one === 'string' ? Buffer.byteLength(one) : 4 * one.length),
    0,
  )
  if (bytes > partBytesMax) return undefined
  const fields = Object.entries(rest).filter(([name, value]) => !(name === 'encoding_format' && value === 'float'))
  const kind = typeof inputs[0] === 'string' ? 'texts' : 'tokens'
  const key = JSON.stringify([kind, fields.sort(([one], [other]) => (one < other ? -1 : 1))])
  return key.length > keyLengthMax ? undefined : { key, inputs, bytes }
}

export async function countTokens({ inputs }: Joinable, tokenizer: PromptTokenizer): Promise<number> {
  let tokens = 0
  for (const input of inputs) tokens += typeof input === 'string' ? await tokenizer.count(input) : input.length
  return tokens
}

function inputsOf(input: unknown): Inputs | undefined {
  if (typeof input === 'string') return [input]
  if (!Array.isArray(input)) return undefined
  if (input.every(one => typeof one === 'string')) return input
  if (input.every(one => typeof one === 'number')) return [input]
  return input.every(one => Array.isArray(one) && one.every(token => typeof token === 'number')) ? input : undefined
}
