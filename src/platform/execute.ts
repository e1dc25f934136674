import type { TSchema } from 'typebox'
import type { Route } from '../engines/engine.ts'
import type { Clock } from '../lib/clock.ts'
import { Fault, fault } from '../lib/faults.ts'
import type { Ids } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { Store } from '../store/store.ts'
import { check, refuseUnknown } from '../wire/check.ts'
import { isRecord } from '../wire/walk.ts'
import { authorize, type Caller } from './access.ts'
import { allowedModels } from './allowed-models.ts'
import type { Origin } from './audit.ts'
import { Charge } from './charging.ts'
import type { StartingCredit } from './credit/starting.ts'
import type { Keys } from './keys.ts'
import type { Ledger, Worst } from './ledger/types.ts'
import type { Limits } from './limits/types.ts'
import type { Models } from './models.ts'
import type { Context, ModelOperation, Operation, Reply, Visit } from './operation.ts'
import type { Prices } from './prices.ts'
import { routeHeaders } from './route.ts'
import { settledReply } from './settling.ts'
import type { SignIn } from './sign-in/index.ts'

/** What outlives a request. */
export interface Services {
  models: Models
  store: Store
  keys: Keys
  ledger: Ledger
  limits: Limits
  prices: Prices
  /** What new organisations begin with. */
  startingCredit?: StartingCredit
  signIn: SignIn
  clock: Clock
  ids: Ids
  random: Random
  log: Log
}

/** What a door (HTTP, the terminal, later batches and runs) hands over. */
export interface Request {
  body: unknown
  /** Of the body as JSON; what a limited purse is first held against. */
  bytes: number
  params: Record<string, string>
  /** What an operation with a `query` was asked with, in the types of its schema as far as the texts allow. */
  query: Readonly<Record<string, unknown>>
  caller: Caller
  from: Origin
  visit?: Visit
  /** Aborted when the caller leaves. */
  signal: AbortSignal
  /** `bytes`: a reply that already is bytes may come as such. `values`: the door wants objects (the terminal). */
  wants: Context['wants']
  /** The reply's headers say which way the request went. */
  explains?: boolean
  /** Called when everything was checked and the work begins. */
  begun?(): void
}

/**
 * The life of every request: authorize → validate → resolve the model → limits and reservation → run → settle. HTTP, the terminal and
 * whatever comes later go through here, so that limits, billing and errors cannot differ by door.
 *
 * The first event of a stream is awaited before the reply is returned, so that everything that fails early is a plain error and not
 * a broken stream. Settling happens exactly once, when the reply has been read to its end, has failed, or was left.
 * @throws Fault
 */
export async function execute(operation: Operation, asked: Request, services: Services): Promise<Reply> {
  const request = operation.bills === 'tokens' && operation.modelIn === 'path' ? named(asked) : asked
  authorize(request.caller, operation.scope, operation.projectOwners === true ? request.params.project_id : undefined)
  if (operation.body !== undefined) checkBody(operation.body, request.body, operation.strict)
  if (operation.query !== undefined) checkQuery(operation.query, request.query)
  if (operation.bills === 'tokens') return charged(operation, request, services)
  const { body, params, query } = request
  request.begun?.()
  return operation.run({ body, params, query }, context(request, services))
}

async function charged(operation: ModelOperation, request: Request, services: Services): Promise<Reply> {
  const { caller, params, query, signal, bytes } = request
  const body = request.body as BilledBody // `check` has seen `model`: every operation that bills tokens requires it
  const around = context(request, services)
  const target = around.models.resolve(body.model)
  let worst: Worst | undefined
  const opened = Charge.open(
    {
      caller,
      operation: operation.id,
      target,
      requestedModel: body.model,
      endUser: body.user ?? body.safety_identifier ?? null,
      batch: false,
      worst() {
        worst ??= operation.worst(body, { bytes, target, models: around.models, signal })
        return worst
      },
    },
    services,
  )
  const charge = opened instanceof Promise ? await opened : opened
  try {
    const { meter, outputMax } = charge
    request.begun?.()
    const reply = await operation.run({ body, params, query }, { ...around, target, meter, outputMax })
    const settled = await settledReply(reply, charge, signal)
    return around.route === undefined ? settled : explained(settled, around.route)
  } catch (error) {
    await charge.settle(signal.aborted ? 'cancelled' : 'failed')
    const failed = error instanceof Fault ? error : fault.internal(error)
    throw around.route === undefined ? failed : failed.with(routeHeaders(around.route))
  }
}

function explained(reply: Reply, route: Route): Reply {
  return { ...reply, headers: [...(reply.headers ?? []), ...Object.entries(routeHeaders(route)).flat()] }
}

/** What `execute` itself reads of the body of an operation that bills tokens. */
interface BilledBody {
  model: string
  user?: string | null
  safety_identifier?: string | null
}

/** @throws Fault */
function checkBody(schema: TSchema, body: unknown, strict = false): void {
  if (strict) refuseUnknown(schema, body)
  check(schema, body)
}

/** @throws Fault for an unknown parameter too: whoever misspells `after` would read the first page for ever */
function checkQuery(schema: TSchema, query: Readonly<Record<string, unknown>>): void {
  refuseUnknown(schema, query)
  check(schema, query)
}

/** The model that the path names as the `model` of the body. @throws Fault when the body names another */
function named(request: Request): Request {
  const body: Record<string, unknown> = isRecord(request.body) ? request.body : {}
  const model = request.params.model
  if (body.model !== undefined && body.model !== model)
    throw fault.invalidValue('model', 'The path names one model and the body another. Leave out the one in the body.')
  return { ...request, body: { ...body, model } }
}

function context({ caller, from, visit, signal, wants, explains }: Request, services: Services): Context {
  const { store, keys, ledger, limits, prices, startingCredit, signIn, clock, ids, random, log } = services
  const models = allowedModels(services.models, caller)
  return {
    caller,
    from,
    visit,
    signal,
    wants,
    ...(explains === true && { route: { attempts: 0 } }),
    models,
    store,
    keys,
    ledger,
    limits,
    prices,
    startingCredit,
    signIn,
    clock,
    ids,
    random,
    log,
  }
}
