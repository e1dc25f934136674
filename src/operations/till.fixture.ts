import assert from 'node:assert/strict'
import { validateReply } from '../../test/spec/validate.ts'
import { scriptedEngine } from '../engines/scripted.ts'
import { Fault } from '../lib/faults.ts'
import type { Caller } from '../platform/access.ts'
import { execute } from '../platform/execute.ts'
import { makeModels, type Target } from '../platform/models.ts'
import type { Operation } from '../platform/operation.ts'
import { createOrganization } from '../platform/people/organizations.ts'
import { createProject } from '../platform/people/projects.ts'
import { free } from '../platform/prices.ts'
import { testServices } from '../platform/services.fixture.ts'
import type { UsageTable } from '../store/schema/money.ts'
import { fits } from '../wire/check.ts'
import { billingOperations } from './billing/index.ts'
import { moneyOperations } from './organization/money.ts'

/** Owners are of A, the first organisation, unless their name says otherwise. */
export type Who = 'owner' | 'admin' | 'reader' | 'projectOwner' | 'projectKey' | 'ownerB' | 'operator'

export interface Asked {
  body?: unknown
  query?: Record<string, unknown>
}

// biome-ignore lint/suspicious/noExplicitAny: replies are held against their schemas, and read here as tests like
type Body = any

const operations: readonly Operation[] = [...moneyOperations, ...billingOperations]
const tables = [
  ...(['spend_limits', 'rate_limits', 'credit_grants', 'credit_codes', 'prices', 'organizations'] as const),
  'audit_log',
] as const

/**
 * Two organisations with a ledger to read and limits, credit and prices to change. Every request goes through `execute` with the rights
 * of a real key; every reply is held against its own schema and those that OpenAI published, every refusal changes nothing, and every
 * change leaves a row in the audit log and is told to the limits and the ledger.
 */
export class Till {
  #services!: Awaited<ReturnType<typeof testServices>>
  readonly #callers = new Map<Who, Caller>()
  #rows = 0
  /** How often limits and ledger were told of a change. */
  told = { limits: 0, ledger: 0 }
  a!: { organization: string; project: string; second: string; key: string; user: string }
  b!: { organization: string; project: string; key: string }

  get store() {
    return this.#services.store
  }
  get clock() {
    return this.#services.clock
  }
  get services() {
    return this.#services
  }

  async open(): Promise<void> {
    const target = (name: string): Target => {
      const engine = scriptedEngine({ name })
      return { name, ownedBy: 'test', created: 1, price: free, abilities: engine.abilities, open: () => engine }
    }
    const models = makeModels([target('large'), target('small'), target('org/odd:name')], { usual: 'small' })
    const services = await testServices(models)
    const { told } = this
    const { ledger } = services
    const read = ledger.changed.bind(ledger)
    ledger.changed = () => {
      told.ledger++
      return read()
    }
    this.#services = { ...services, limits: { ...services.limits, changed: async () => void told.limits++ } }
    await this.#furnish()
  }

  close = (): Promise<void> => this.#services.close()

  caller(who: Who): Caller {
    const caller = this.#callers.get(who)
    if (caller === undefined) throw new Error(`Nobody is ${who}.`)
    return caller
  }

  context = (caller: Caller) => ({
    ...this.#services,
    caller,
    from: { ip: '192.0.2.1', userAgent: 'test/1', requestId: 'req_1' },
    wants: 'values' as const,
    signal: new AbortController().signal,
  })

  /** Rows of the ledger as if somebody had settled them. */
  async used(...rows: Partial<UsageTable>[]): Promise<UsageTable[]> {
    const full = rows.map(row => ({ ...this.#usual(), ...row }))
    for (let first = 0; first < full.length; first += 500)
      await this.store.write(this.store.build.insertInto('usage').values(full.slice(first, first + 500)))
    return full
  }

  /** Takes all of it away. */
  async forget(): Promise<void> {
    for (const table of ['usage', ...tables.filter(name => name !== 'organizations')] as const)
      await this.store.write(this.store.build.deleteFrom(table))
    await this.store.write(this.store.build.updateTable('organizations').set({ credit: 0 }))
    await this.#services.prices.changed()
  }

  async ask(who: Who, method: string, path: string, { body, query = {} }: Asked = {}) {
    const { operation, params } = operationOf(method, path)
    const before = await this.#snapshot()
    const told = { ...this.told }
    const { status, body: reply } = await this.#execute(operation, { who, body, query, params })
    const what = `${who}: ${method} ${path} → ${status} ${JSON.stringify(reply)?.slice(0, 2000)}`
    const after = await this.#snapshot()
    if (status >= 400 || method === 'GET') assert.equal(after.rows, before.rows, what)
    assert.equal(after.rows === before.rows, after.events === before.events, `audit log: ${what}`)
    if (after.rows === before.rows) assert.deepEqual(this.told, told, what)
    if (status === 200) assert.ok(fits(operation.reply, reply), `its own schema: ${what}`)
    // The older files call the results of a bucket `result`, as no server ever did.
    const found = validateReply('2026-08-21', method, path, status, reply)
    if (found[0]?.startsWith('no schema') !== true) assert.deepEqual(found, [], what)
    else assert.ok(isOurs(path), what)
    return {
      status,
      body: reply,
      told: { limits: this.told.limits - told.limits, ledger: this.told.ledger - told.ledger },
    }
  }

  async does(who: Who, method: string, path: string, asked: Asked = {}): Promise<Body> {
    const { status, body } = await this.ask(who, method, path, asked)
    assert.equal(status, 200, `${method} ${path}: ${JSON.stringify(body)}`)
    return body
  }

  /** @returns `[status, code, param]` */
  async refuses(who: Who, method: string, path: string, asked: Asked = {}): Promise<[number, string, string]> {
    const { status, body } = await this.ask(who, method, path, asked)
    assert.ok(status >= 400, `${method} ${path}: ${JSON.stringify(body)}`)
    return [status, body.error.code, body.error.param]
  }

  /** The newest rows of an organisation's audit log: type, subject and details. */
  async log(organizationId = this.a.organization): Promise<{ type: string; subject: string; details: Body }[]> {
    const rows = await this.store.read
      .selectFrom('audit_log')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .execute()
    return rows.map(row => ({ type: row.type, subject: row.subject_id, details: JSON.parse(row.details) }))
  }

  async #furnish(): Promise<void> {
    const { keys, clock, store } = this.#services
    const operator = await keys.operator()
    clock.advance(1)
    this.#callers.set('operator', operator)
    const { organizationId, projectId } = operator
    const userId = operator.userId!
    const made = await createOrganization(this.context(operator), { name: 'bee', owner: { email: 'b@example.org' } })
    const second = await createProject(this.context(operator), 'Second')
    const home = { organizationId, projectId, userId }
    const homeB = { organizationId: made.organization.id, projectId: made.projectId, userId: made.userId }
    const member = await this.#member(organizationId, second.id)
    const key = async (who: Who, place: typeof home, kind: 'user' | 'admin' | 'project' = 'user') => {
      const { row, secret } = await keys.create({ name: who, kind, place })
      this.#callers.set(who, await keys.find(secret))
      return row.id
    }
    const keyId = await key('owner', home)
    await key('admin', home, 'admin')
    await key('projectKey', home, 'project')
    await key('reader', { ...home, projectId: second.id, userId: member.reader })
    await key('projectOwner', { ...home, projectId: second.id, userId: member.projectOwner })
    const keyB = await key('ownerB', homeB)
    this.a = { organization: organizationId, project: projectId, second: second.id, key: keyId, user: userId }
    this.b = { organization: homeB.organizationId, project: homeB.projectId, key: keyB }
    await store.write(store.build.deleteFrom('audit_log'))
  }

  async #member(organizationId: string, projectId: string) {
    const { build } = this.store
    const made = { reader: 'user-reader', projectOwner: 'user-project-owner' }
    const created_at = this.clock.now()
    for (const [name, id] of Object.entries(made)) {
      const place = { organization_id: organizationId, user_id: id, created_at }
      const account = { id, email: `${name.toLowerCase()}@a.example`, name, password: null, identity: null, created_at }
      const role = name === 'reader' ? ('member' as const) : ('owner' as const)
      await this.store.write([
        build.insertInto('users').values({ ...account, disabled_at: null }),
        build.insertInto('members').values({ ...place, role: 'reader' }),
        build.insertInto('project_members').values({ ...place, project_id: projectId, role }),
      ])
    }
    return made
  }

  #usual(): UsageTable {
    return {
      id: `use_${String(++this.#rows).padStart(9, '0')}`,
      organization_id: this.a.organization,
      project_id: this.a.project,
      key_id: this.a.key,
      user_id: this.a.user,
      operation: 'chat.completions.create',
      model: 'small',
      requested_model: 'usual',
      end_user: null,
      input_tokens: 0,
      cached_tokens: 0,
      output_tokens: 0,
      requests: 1,
      quantity: 0,
      unit: null,
      variant: null,
      batch: 0,
      cost_nano: 0,
      reserved_nano: 0,
      status: 'ok',
      duration_ms: 5,
      created_at: this.clock.now(),
    }
  }

  async #execute(
    operation: Operation,
    { who, body, query, params }: Required<Asked> & { who: Who; params: Record<string, string> },
  ): Promise<{ status: number; body: Body }> {
    const { from, wants, signal } = this.context(this.caller(who))
    const asked = {
      ...{ from, wants, signal, params, query, bytes: 0 },
      body: operation.body === undefined ? undefined : (body ?? {}),
      caller: this.caller(who),
    }
    try {
      const reply = await execute(operation, asked, this.#services)
      return { status: 200, body: reply.kind === 'json' ? reply.value : undefined }
    } catch (error) {
      if (!(error instanceof Fault) || error.status >= 500) throw error
      return { status: error.status, body: error.body() }
    }
  }

  async #snapshot(): Promise<{ rows: string; events: number }> {
    const kept = []
    for (const table of tables) kept.push(await this.store.read.selectFrom(table).selectAll().execute())
    return { rows: JSON.stringify(kept), events: kept.at(-1)!.length }
  }
}

/** What OpenAI never described. */
const isOurs = (path: string): boolean =>
  /^\/v1\/(?:organization\/(?:limits|credit|prices)(?:\/|$)|dashboard\/|usage$)/.test(path)

function operationOf(method: string, path: string): { operation: Operation; params: Record<string, string> } {
  const given = path.split('/')
  for (const operation of operations) {
    const steps = operation.path.split('/')
    if (operation.method !== method || steps.length !== given.length) continue
    if (!steps.every((step, at) => step.startsWith('{') || step === given[at])) continue
    const params: Record<string, string> = {}
    for (const [at, step] of steps.entries())
      if (step.startsWith('{')) params[step.slice(1, -1)] = decodeURIComponent(given[at]!)
    return { operation, params }
  }
  throw new Error(`There is no ${method} ${path}.`)
}
