import { Fault } from '../../lib/faults.ts'
import type { Refusal } from './protocol.ts'
import { MessagesRefused, TemplateFailed } from './templates.ts'

/** The process of a model refuses a request. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.kind)
    this.refusal = refusal
  }
}

/** What the server's process is told of an error. A fault that names a parameter stays what it is. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal
  const message = error instanceof Error ? error.message : 'unknown error'
  if (error instanceof Fault && error.param !== null) {
    const { param: parameter, code } = error
    return { kind: 'parameter', parameter, message, ...(code !== null && { code }) }
  }
  if (error instanceof MessagesRefused) return { kind: 'messages', message }
  return { kind: error instanceof TemplateFailed ? 'template' : 'failure', message }
}
