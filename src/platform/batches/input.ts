import type { Fault } from '../../lib/faults.ts'
import { isRecord } from '../../wire/walk.ts'
import { batchLine, batchLinesMax, checkJsonl, type LineForm, readJsonl } from '../files/jsonl/index.ts'
import type { Operation } from '../operation.ts'
import type { Problem } from './types.ts'

/** So many are told at most. */
const problemsMax = 100
/** OpenAI's bound on the inputs of a batch of embeddings, over all its requests. */
const embeddingInputsMax = 50_000

/** One request of a batch. */
export interface Line {
  /** Its place among the requests, from 0. */
  readonly index: number
  readonly customId: string
  readonly body: Readonly<Record<string, unknown>>
  readonly sizeBytes: number
}

export interface InputReport {
  readonly total: number
  readonly model: string
  readonly problems: readonly Problem[]
}

/** Azure leaves the version out of its endpoints: `/chat/completions`. */
export const canonical = (endpoint: string): string => (endpoint.startsWith('/v1/') ? endpoint : `/v1${endpoint}`)

/**
 * Reads the whole input before anything runs.
 * @param refused why this model cannot be asked, if it cannot
 */
export async function checkInput(
  bytes: AsyncIterable<Uint8Array>,
  { operation, refused }: { operation: Operation; refused(model: string): Fault | undefined },
): Promise<InputReport> {
  const requests = oneModel(refused)
  const line = batchLine(operation.path)
  const isEmbedding = operation.id === 'embeddings.create'
  let inputs = 0
  const form: LineForm = (value, number) => {
    const { url } = value
    const problem = line({ ...value, ...(typeof url === 'string' && { url: canonical(url) }) }, number)
    if (problem !== undefined) return problem
    const body = isRecord(value.body) ? value.body : {}
    if (isEmbedding) inputs += inputsIn(body.input)
    if (inputs > embeddingInputsMax)
      return {
        param: 'body.input',
        code: 'too_many_inputs',
        message: `All requests together hold more than ${embeddingInputsMax} inputs.`,
      }
    return requests.check(body)
  }
  const { lines, problems } = await checkJsonl(bytes, form, { linesMax: batchLinesMax, problemsMax })
  return { total: lines, model: requests.model, problems }
}

/** The requests of an input that was checked. */
export async function* readInput(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let index = 0
  for await (const entry of readJsonl(bytes)) {
    if ('problem' in entry) throw new Error(`Line ${entry.line} of a batch that was checked: ${entry.problem.message}`)
    const { custom_id: customId, body } = entry.value
    if (typeof customId !== 'string' || !isRecord(body)) throw new Error(`Line ${entry.line} is no request.`)
    yield { index, customId, body, sizeBytes: entry.sizeBytes }
    index++
  }
}

/** OpenAI's rule: a batch asks one model. */
function oneModel(refused: (model: string) => Fault | undefined) {
  let first: string | undefined
  return {
    get model() {
      return first ?? ''
    },
    check({ model }: Readonly<Record<string, unknown>>): ReturnType<LineForm> {
      const param = 'body.model'
      if (typeof model !== 'string' || model === '')
        return { param, code: 'missing_required_parameter', message: "Missing required parameter: 'model'." }
      if (first === undefined) {
        first = model
        const fault = refused(model)
        if (fault !== undefined) return { param, code: fault.code ?? 'invalid_request', message: fault.message }
      }
      if (model === first) return undefined
      const message =
        'The model of this request is another than that of the requests before it. A batch asks one model.'
      return { param, code: 'mismatched_model', message }
    },
  }
}

const inputsIn = (input: unknown): number =>
  Array.isArray(input) && input.length > 0 && typeof input[0] !== 'number' ? input.length : 1
