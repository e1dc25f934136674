import type { Fault } from '../../lib/faults.ts'
import type { Operation, Reply } from '../../platform/operation.ts'
import { isRecord } from '../../wire/walk.ts'
import type { HeaderList } from '../headers.ts'
import { azureError } from './errors.ts'
import { withFilterResults } from './filtering.ts'
import { isAzure } from './paths.ts'

/** In which a request is asked and answered: OpenAI's forms, or Azure's where the path is one of Azure's. */
export interface Dialect {
  /** Beside the headers of every response. */
  headers(requestId: string): HeaderList
  errorBody(fault: Fault): object
  /** The body as the operation wants it. */
  body(body: unknown, params: Readonly<Record<string, string>>): unknown
  /** `body`: of the request. */
  reply(reply: Reply, operation: Operation, body: unknown): Reply
}

/** @param url of the request, as `azureUrl` has left it */
export const dialectOf = (url: string): Dialect => (isAzure(url) ? azure : openai)

const openai: Dialect = {
  headers: () => [],
  errorBody: fault => fault.body(),
  body: body => body,
  reply: reply => reply,
}

const azure: Dialect = {
  // There are no regions and no sessions here; programs that write these headers down get a word for each.
  headers: requestId => [
    'apim-request-id',
    guid(requestId),
    'x-ms-region',
    'local',
    'azureml-model-session',
    'parlance',
  ],
  errorBody: azureError,
  /** A deployment is a model's name, and the one in the path counts: clients send another in the body, or none. */
  body: (body, { deployment }) => (deployment !== undefined && isRecord(body) ? { ...body, model: deployment } : body),
  reply: withFilterResults,
}

/** The digits of our own id in the form that Azure gives its ids. */
function guid(requestId: string): string {
  const digits = requestId.slice(requestId.indexOf('_') + 1)
  return [0, 8, 12, 16, 20].map((start, at, all) => digits.slice(start, all[at + 1])).join('-')
}
