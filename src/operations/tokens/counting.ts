import { encodingTokenizer, type Tokenizer } from '../../engines/tokenizer.ts'
import { fault } from '../../lib/faults.ts'
import type { Models } from '../../platform/models.ts'
import { encodingNames, isEncodingName } from '../../tokens/index.ts'

/** What counts for a request, and the fields of its reply that say so. */
export interface Counting {
  tokenizer: Tokenizer
  /** First fields of the reply. */
  names: { model?: string; encoding: string }
}

/**
 * The tokenizer that a request names by `model` or by `encoding`.
 * @throws Fault 400 for neither or both, and for an unknown encoding; 404 for an unknown model
 */
export function countingFor({ model, encoding }: { model?: string; encoding?: string }, models: Models): Counting {
  if (model !== undefined && encoding !== undefined)
    throw fault.invalidValue(
      'encoding',
      "Send either 'model' or 'encoding', not both.",
      'invalid_parameter_combination',
    )
  if (encoding !== undefined) {
    if (!isEncodingName(encoding))
      throw fault.invalidValue(
        'encoding',
        `Unknown encoding '${encoding}'. The encodings are ${encodingNames.join(', ')}.`,
        'unknown_encoding',
      )
    return { tokenizer: encodingTokenizer(encoding), names: { encoding } }
  }
  if (model === undefined) throw fault.missingParameter('model')
  const target = models.resolve(model)
  const tokenizer = models.tokenizerOf(target)
  return { tokenizer, names: { model: target.name, encoding: tokenizer.name } }
}

/** Left out of a reply when there are none. */
export const assumed = (assumptions: readonly string[]) => (assumptions.length === 0 ? {} : { assumptions })

/** @throws Fault 400 `unknown_parameter` */
export function refuseUnknown(fields: readonly string[]): void {
  const [first] = fields
  if (first !== undefined) throw fault.unknownParameter(first.slice(0, 64).toWellFormed())
}
