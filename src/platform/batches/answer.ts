import { type Fault, fault } from '../../lib/faults.ts'
import { isRecord } from '../../wire/walk.ts'
import type { Line } from './input.ts'
import type { Entry } from './records.ts'

/** What a request has come to: a line of the output or the error file, and what it used. */
export interface Answer {
  readonly entry: Entry
  readonly text: string
}

interface Ids {
  /** `batch_req_…` */
  id: string
  /** `req_…` */
  requestId: string
}

/** As OpenAI's batches write them: `{id, custom_id, response: {status_code, request_id, body}, error}`. */
export function replied({ index, customId }: Line, { id, requestId }: Ids, body: object): Answer {
  const response = { status_code: 200, request_id: requestId, body }
  return {
    entry: { line: index, ok: true, isUnasked: false, ...usedBy(body) },
    text: JSON.stringify({ id, custom_id: customId, response, error: null }),
  }
}

/** The error as its own reply would have had it. */
export function failed({ index, customId }: Line, { id, requestId }: Ids, reason: Fault): Answer {
  const response = { status_code: reason.status, request_id: requestId, body: reason.body() }
  return {
    entry: { line: index, ok: false, isUnasked: false, ...nothing },
    text: JSON.stringify({ id, custom_id: customId, response, error: null }),
  }
}

/** A request that never ran. */
export function unanswered({ index, customId }: Line, id: string, why: 'batch_expired' | 'batch_cancelled'): Answer {
  const error = { code: why, message: reasons[why] }
  return {
    entry: { line: index, ok: false, isUnasked: true, ...nothing },
    text: JSON.stringify({ id, custom_id: customId, response: null, error }),
  }
}

/** For a reply that is not one value: nothing that a batch may ask gives such a one. */
export const notOneValue = (): Fault => fault.internal(new Error('The reply to a line of a batch is not one value.'))

const reasons = {
  /** OpenAI's words. */
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'This request was not executed, because the batch was cancelled.',
}

const nothing = { input: 0, cached: 0, output: 0, reasoning: 0 }

/** What the reply says of its own use, in the forms of all operations. */
function usedBy(body: object): Omit<Entry, 'line' | 'ok' | 'isUnasked'> {
  const usage = isRecord(body) && isRecord(body.usage) ? body.usage : {}
  const input = count(usage.prompt_tokens ?? usage.input_tokens)
  const output = count(usage.completion_tokens ?? usage.output_tokens)
  const before = usage.prompt_tokens_details ?? usage.input_tokens_details
  const after = usage.completion_tokens_details ?? usage.output_tokens_details
  return {
    ...{ input, output },
    cached: isRecord(before) ? count(before.cached_tokens) : 0,
    reasoning: isRecord(after) ? count(after.reasoning_tokens) : 0,
  }
}

/** An upstream may say anything. */
const count = (value: unknown): number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 1e15 ? value : 0
