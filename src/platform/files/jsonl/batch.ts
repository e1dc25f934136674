import { isRecord } from '../../../wire/walk.ts'
import type { LineForm } from './types.ts'

/** Of an input of `/v1/batches`, as OpenAI has them. */
export const batchBytesMax = 209_715_200
export const batchLinesMax = 50_000
const customIdLengthMax = 512

/**
 * A line of a batch: `{custom_id, method: "POST", url, body}` with a `custom_id` of its own and the URL of the batch.
 * @param url of the operation, such as `/v1/chat/completions`
 */
export function batchLine(url: string): LineForm {
  const seen = new Set<string>()
  return ({ custom_id: customId, method, url: given, body }) => {
    if (customId === undefined) return missing('custom_id')
    if (typeof customId !== 'string' || customId === '' || customId.length > customIdLengthMax)
      return wrong('custom_id', 'invalid_custom_id', `It must be a text of 1 to ${customIdLengthMax} characters.`)
    if (seen.has(customId)) return wrong('custom_id', 'duplicate_custom_id', 'An earlier line has the same one.')
    seen.add(customId)
    if (method === undefined) return missing('method')
    if (method !== 'POST') return wrong('method', 'invalid_method', "It must be 'POST'.")
    if (given === undefined) return missing('url')
    if (given !== url) return wrong('url', 'mismatched_url', `It must be the endpoint of the batch, '${url}'.`)
    if (body === undefined) return missing('body')
    if (!isRecord(body)) return wrong('body', 'invalid_type', 'It must be an object.')
    if (body.stream === true)
      return wrong('body.stream', 'unsupported_value', 'The replies of a batch are not streamed.')
    return undefined
  }
}

const missing = (param: string) => ({
  param,
  code: 'missing_required_parameter',
  message: `Missing required parameter: '${param}'.`,
})

const wrong = (param: string, code: string, reason: string) => ({
  param,
  code,
  message: `Invalid '${param}'. ${reason}`,
})
