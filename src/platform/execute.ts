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
import type { Batches } from './batches/index.ts'
import { Charge } from './charging.ts'
import type { StartingCredit } from './credit/starting.ts'
import type { Files } from './files/index.ts'
import type { TakenFile } from './forms.ts'
import type { Keys } from './keys.ts'
import type { Intent, Ledger, Worst } from './ledger/types.ts'
import type { Limits } from './limits/types.ts'
import type { Models, Target } from './models.ts'
import type { Context, ModelOperation, Operation, Reply, Visit } from './operation.ts'
import type { Prices } from './prices.ts'
import type { ResponseCache } from './response-cache/index.ts'
import { routeHeaders } from './route.ts'
import type { RouteBook } from './routes/index.ts'
import { settledReply } from './settling.ts'
import type { SignIn } from './sign-in/index.ts'
import type { UpstreamBook } from './upstreams/index.ts'

/** What outlives a request. */
export interface Services {
  models: Models
  upstreams: UpstreamBook
  routes: RouteBook
  store: Store
  files: Files
  batches: Batches
  keys: Keys
  ledger: Ledger
  limits: Limits
  prices: Prices
  /** Absent where the replies of no model are kept. */
  responses?: ResponseCache
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
  /** Of an operation that takes a form: the file that came with the fields, which then are the `body`. */
  file?: TakenFile | undefined
  /** Of the body as JSON; what a limited purse is first held against. */
  bytes: number
  params: Record<string, string>
  /** What an operation with a `query` was asked with, in the types of its schema as far as the texts allow. */
  query: Readonly<Record<string, unknown>>
  caller: Caller
  from: Origin
  visit?: Visit | undefined
  /** Aborted when the caller leaves. */
  signal: AbortSignal
  /** `bytes`: a reply that already is bytes may come as such. `values`: the door wants objects (the terminal). */
  wants: Context['wants']
  /** The header of this name: whether a kept reply will do, and how old. */
  cacheControl?: string | undefined
  /** Filled in on the way, where somebody wants to know it. */
  route?: Route | undefined
  /** The reply's headers say which way the request went; with `route`. */
  explains?: boolean | undefined
  /** A line of a batch: it is charged as such, and no batch makes way for it. */
  batch?: true
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
  if (operation.bills === 'tokens') return await charged(operation, request, services)
  const { body, params, query } = request
  request.begun?.()
  if (operation.form === undefined) return operation.run({ body, params, query }, context(request, services))
  if (request.file === undefined) throw fault.missingParameter(operation.form.file)
  return operation.run({ body, params, query, file: request.file }, context(request, services))
}

async function charged(operation: ModelOperation, request: Request, services: Services): Promise<Reply> {
  const body = request.body as BilledBody // `check` has seen `model`: every operation that bills tokens requires it
  const models = allowedModels(services.models, request.caller)
  const work: Work = { operation, request, body, models, target: models.resolve(body.model) }
  if (request.batch !== true) services.batches.noticed(work.target.name)
  const ttlMs = operation.repeats === true ? services.responses?.ttlMsOf(work.target) : undefined
  const route = request.explains === true ? request.route : undefined
  try {
    const reply = await (ttlMs === undefined ? started(work, services) : repeated(work, ttlMs, services))
    return route === undefined ? reply : explained(reply, route)
  } catch (error) {
    if (route === undefined) throw error
    throw (error instanceof Fault ? error : fault.internal(error)).with(routeHeaders(route))
  }
}

/** A request that asks a model, with what is known of it. */
interface Work {
  operation: ModelOperation
  request: Request
  body: BilledBody
  models: Models
  target: Target
}

function started(work: Work, services: Services): Promise<Reply> {
  const begin = (charge: Charge) => {
    work.request.begun?.()
    return run(work, charge, work.request.signal, services)
  }
  const opened = Charge.open(intentOf(work), services)
  return opened instanceof Promise ? opened.then(begin) : begin(opened)
}

/** Answered with a reply that was kept, where there is one. */
function repeated(work: Work, ttlMs: number, services: Services): Promise<Reply> {
  const { request, body } = work
  const { wants, signal, cacheControl } = request
  return services.responses!.answer(
    {
      ...{ intent: intentOf(work), body, ttlMs, cacheControl, wants, signal },
      begun: () => request.begun?.(),
      run: (charge, runs) => run(work, charge, runs, services),
    },
    services,
  )
}

function intentOf({ operation, request, body, models, target }: Work): Intent {
  const { caller, bytes, signal } = request
  let worst: Worst | undefined
  return {
    caller,
    operation: operation.id,
    target,
    requestedModel: body.model,
    endUser: body.user ?? body.safety_identifier ?? null,
    batch: request.batch === true,
    worst() {
      worst ??= operation.worst(body, { bytes, target, models, signal })
      return worst
    },
  }
}

/** @param signal of the run, which may outlive its caller */
async function run(
  { operation, request, body, models, target }: Work,
  charge: Charge,
  signal: AbortSignal,
  services: Services,
): Promise<Reply> {
  const { params, query } = request
  try {
    const { meter, outputMax } = charge
    const around = { ...contextWith(models, request, services), signal, target, meter, outputMax }
    const settled = settledReply(await operation.run({ body, params, query }, around), charge, signal)
    return settled instanceof Promise ? await settled : settled
  } catch (error) {
    await charge.settle(signal.aborted ? 'cancelled' : 'failed')
    throw error instanceof Fault ? error : fault.internal(error)
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

const context = (request: Request, services: Services): Context =>
  contextWith(allowedModels(services.models, request.caller), request, services)

/** All fields in one literal, whatever there is to say in them: it is made for every request, and objects that grow are slow. */
function contextWith(
  models: Models,
  { caller, from, visit, signal, wants, route }: Request,
  services: Services,
): Context {
  const { upstreams, routes, store, files, batches, keys, ledger, limits } = services
  const { prices, startingCredit, signIn, clock, ids, random, log } = services
  return {
    caller,
    from,
    visit,
    signal,
    wants,
    route,
    models,
    upstreams,
    routes,
    store,
    files,
    batches,
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
