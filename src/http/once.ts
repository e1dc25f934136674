import type { FastifyReply, FastifyRequest } from 'fastify'
import { Fault } from '../lib/faults.ts'
import type { Log } from '../lib/log.ts'
import type { Idempotency, Kept } from '../platform/idempotency.ts'
import type { Caller } from '../platform/keys.ts'
import type { Operation, Reply } from '../platform/operation.ts'
import { isRecord } from '../wire/walk.ts'
import { rendered } from './errors.ts'
import type { Replies } from './replies.ts'

/**
 * The `Idempotency-Key` of a request that is to be answered once: a POST whose reply is one piece. Streams are not kept, and so their
 * requests run each time; neither are the cookies of those who sign in.
 */
export function onceName(operation: Operation, request: FastifyRequest, body: unknown): string | undefined {
  const header = request.headers['idempotency-key']
  if (header === undefined || request.method !== 'POST' || isForPeople(operation)) return undefined
  if (isRecord(body) && body.stream === true) return undefined
  return Array.isArray(header) ? header[0] : header
}

interface Once {
  operation: Operation
  caller: Caller
  name: string
  /** What was asked, beside the URL. */
  content: readonly (string | Uint8Array)[]
  request: FastifyRequest
}

/** Answers with what the first request of this name came to, running it if this is the first. */
export async function answerOnce(
  { operation, caller, name, content, request }: Once,
  { idempotency, replies, log }: { idempotency: Idempotency; replies: Replies; log: Log },
  reply: FastifyReply,
  run: (begun: () => void) => Promise<Reply>,
): Promise<void> {
  let begun = false
  const { id, showsSecret = false } = operation
  const asked = { caller, name, operation: id, request: [request.url, ...content], showsSecret }
  const { replayed, status, headers, body } = await idempotency.once(asked, async () => {
    const kept = await run(() => {
      begun = true
    }).then(written, (error: unknown) => {
      if (!(error instanceof Fault)) throw error // cut off at the end of the server: nobody knows what it came to
      const { headers: named, ...shown } = rendered(error, request, log)
      return { ...shown, headers: Object.entries(named).flat() }
    })
    return { ...kept, keep: begun && !kept.headers.includes('retry-after') }
  })
  const mark = replayed ? ['idempotent-replayed', 'true'] : []
  replies.json(request, reply, status, body, [...headers, ...mark])
}

function written(reply: Reply): Kept {
  const { headers = [], status = 200 } = reply
  if (reply.kind === 'json') return { status, headers, body: JSON.stringify(reply.value) }
  if (reply.kind === 'bytes') return { status, headers, body: reply.bytes.toString() }
  throw new Error('A stream cannot be kept.')
}

/** Signing in, and what only somebody who is signed in does. */
const isForPeople = ({ scope }: Operation): boolean => scope === 'anyone' || scope === 'person'
