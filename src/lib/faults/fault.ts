/** A named error, with all that a caller is told. The rows are in the tables beside this file, which `faults.ts` puts together. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly code: string | null
  /** Extra response headers, e.g. `retry-after`. */
  readonly headers: Readonly<Record<string, string>>
  /** What stands in the body beside the four keys. */
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(row: FaultRow) {
    super(row.message, row.cause === undefined ? undefined : { cause: row.cause })
    this.status = row.status
    this.type = row.type ?? 'invalid_request_error'
    this.param = row.param ?? null
    this.code = row.code ?? null
    this.headers = row.headers ?? {}
    this.details = row.details
  }

  /** The same fault with more headers. */
  with(headers: Readonly<Record<string, string>>): Fault {
    const { status, message, type, param, code, details, cause } = this
    return new Fault({ status, message, type, param, code, headers: { ...this.headers, ...headers }, details, cause })
  }

  /** The body OpenAI's clients read: all four keys, always. */
  body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, type, param, code, details } = this
    return { error: { message, type, param, code, ...details } }
  }
}

export interface FaultRow {
  status: number
  message: string
  type?: string
  param?: string | null
  code?: string | null
  headers?: Record<string, string>
  details?: Readonly<Record<string, unknown>> | undefined
  cause?: unknown
}

/** A request that is wrong. */
export const bad = (message: string, param: string | null, code: string | null, cause?: unknown) =>
  new Fault({ status: 400, message, param, code, cause })

/** Something on this side, or behind it. */
export const unavailable = (status: number, message: string, code: string | null, cause?: unknown) =>
  new Fault({ status, type: 'server_error', message, code, cause })
