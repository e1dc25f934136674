import type { Clock } from '../lib/clock.ts'
import { Fault, fault } from '../lib/faults.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import { check } from '../wire/check.ts'
import { isRecord } from '../wire/walk.ts'
import type { Caller } from './keys.ts'
import type { Models } from './models.ts'
import type { Context, Operation, Reply } from './operation.ts'
import { makeMeter, type Settlement, type Usage } from './usage.ts'

/** What outlives a request. */
export interface Services {
  models: Models
  usage: Usage
  clock: Clock
  ids: Ids
  random: Random
  log: Log
}

/** What a door (HTTP, the terminal, later batches and runs) hands over. */
export interface Request {
  body: unknown
  params: Record<string, string>
  caller: Caller
  /** Aborted when the caller leaves. */
  signal: AbortSignal
  /** `bytes`: a reply that already is bytes may come as such. `values`: the door wants objects (the terminal). */
  wants: Context['wants']
}

/**
 * The life of every request: validate → resolve the model → run → settle. HTTP, the terminal and whatever comes later go through
 * here, so that limits, billing and errors cannot differ by door.
 *
 * The first event of a stream is awaited before the reply is returned, so that everything that fails early is a plain error and not
 * a broken stream. Settling happens exactly once, when the reply has been read to its end, has failed, or was left.
 * @throws Fault
 */
export async function execute(operation: Operation, asked: Request, services: Services): Promise<Reply> {
  const request = operation.bills === 'tokens' && operation.modelIn === 'path' ? named(asked) : asked
  const { caller, signal } = request
  if (operation.body !== undefined) check(operation.body, request.body)
  if (operation.bills === 'nothing')
    return operation.run({ body: request.body, params: request.params }, context(request, services))

  const body = request.body as BilledBody // `check` has seen `model`: every operation that bills tokens requires it
  const target = services.models.resolve(body.model)
  const reading = makeMeter()
  const startedMs = services.clock.monotonic()
  services.usage.begin()
  let open = true
  const settle = (status: Settlement['status']) => {
    if (!open) return
    open = false
    services.usage.record({
      caller,
      operation: operation.id,
      target,
      requestedModel: body.model,
      endUser: body.user ?? null,
      reading,
      status: signal.aborted ? 'cancelled' : status,
      durationMs: services.clock.monotonic() - startedMs,
    })
  }

  try {
    const reply = await operation.run(
      { body, params: request.params },
      {
        ...context(request, services),
        target,
        meter: reading,
      },
    )
    if (reply.kind === 'events') return { kind: 'events', events: await settled(reply.events, settle) }
    if (reply.kind === 'relay')
      return { kind: 'relay', pipe: sink => reply.pipe(sink).then(() => settle('ok'), failed(settle)) }
    settle('ok')
    return reply
  } catch (error) {
    settle('failed')
    throw error instanceof Fault ? error : fault.internal(error)
  }
}

/** What `execute` itself reads of the body of an operation that bills tokens. */
interface BilledBody {
  model: string
  user?: string | null
}

/** The model that the path names as the `model` of the body. @throws Fault when the body names another */
function named(request: Request): Request {
  const body: Record<string, unknown> = isRecord(request.body) ? request.body : {}
  const model = request.params.model
  if (body.model !== undefined && body.model !== model)
    throw fault.invalidValue('model', 'The path names one model and the body another. Leave out the one in the body.')
  return { ...request, body: { ...body, model } }
}

function context({ caller, signal, wants }: Request, { models, clock, ids, random, log }: Services): Context {
  return { caller, signal, wants, models, clock, ids, random, log }
}

/** The same events with the first already there; their end, their failure or the reader's leaving settles. */
async function settled(
  events: AsyncIterable<object>,
  settle: (status: Settlement['status']) => void,
): Promise<AsyncIterable<object>> {
  const iterator = events[Symbol.asyncIterator]()
  let first: IteratorResult<object> | undefined = await iterator.next()
  const next = async (): Promise<IteratorResult<object>> => {
    try {
      const result = first ?? (await iterator.next())
      first = undefined
      if (result.done === true) settle('ok')
      return result
    } catch (error) {
      settle('failed')
      throw error instanceof Fault ? error : fault.internal(error)
    }
  }
  const leave = async (): Promise<IteratorResult<object>> => {
    await iterator.return?.()
    settle('cancelled')
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) }
}

const failed = (settle: (status: Settlement['status']) => void) => (error: unknown) => {
  settle('failed')
  throw error instanceof Fault ? error : fault.internal(error)
}
