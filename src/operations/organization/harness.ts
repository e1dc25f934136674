import assert from 'node:assert/strict'
import { eras, validateReply } from '../../../test/spec/validate.ts'
import { Fault } from '../../lib/faults.ts'
import { execute } from '../../platform/execute.ts'
import type { Caller } from '../../platform/keys.ts'
import { makeModels } from '../../platform/models.ts'
import type { Operation } from '../../platform/operation.ts'
import type { Acting } from '../../platform/people/acting.ts'
import { createOrganization } from '../../platform/people/organizations.ts'
import { testServices } from '../../platform/services.fixture.ts'
import type { OrganizationRole, ProjectRole } from '../../store/schema/accounts.ts'
import { peopleOperations } from './index.ts'

/** Who asks, in organisation A unless their name says otherwise. */
export type Who =
  | ('owner' | 'admin' | 'reader' | 'projectOwner' | 'member' | 'restricted')
  | ('projectKey' | 'serviceKey' | 'ownerB')

/** Which ids belong to an organisation: its second project, and one of everything in it. */
export interface Place {
  organization: string
  /** The default project. */
  first: string
  project: string
  user: string
  serviceAccount: string
  key: string
  invite: string
  adminKey: string
}

interface Asked {
  body?: unknown
  query?: Record<string, unknown>
}
interface Answer {
  status: number
  body: Shown
}
/** As much of replies as tests look at; the schemas are checked apart. What a reply does not have is undefined. */
export interface Shown {
  id: string
  name: string
  email: string
  role: string
  status: string
  value: string
  accept_token: string
  created_at: number
  expires_at: number | null
  accepted_at: number | null
  archived_at: number | null
  last_used_at: number | null
  redacted_value: string
  owner_project_access: string
  scopes: 'all' | 'read' | string[]
  models: string[] | null
  owner: { type: string; user: Shown; service_account: Shown }
  api_key: Shown
  projects: { id: string; role: string }[]
  data: Shown[]
  first_id: string | null
  last_id: string | null
  has_more: boolean
  error: { code: string | null; param: string | null }
  type: string
  effective_at: number
  actor: { session: { user: { id: string } }; api_key: { id: string } }
  project: { id: string }
}

const tables = [
  ...(['organizations', 'users', 'members', 'projects', 'project_members', 'service_accounts'] as const),
  ...(['invites', 'api_keys', 'sessions', 'audit_log'] as const),
]

/**
 * Two organisations with people, projects and keys, over a real store. Every request goes through `execute` with the rights of a real
 * key, and with each one it is checked that
 *
 * - the reply fits the published schemas;
 * - a refusal changes nothing, and a change leaves a row in the audit log;
 * - no secret is shown a second time, or stored.
 */
export class Office {
  #services!: Awaited<ReturnType<typeof testServices>>
  readonly #keys = new Map<Who, string>()
  readonly #secrets: string[] = []
  #people = 0
  a!: Place
  b!: Place

  get clock() {
    return this.#services.clock
  }
  get store() {
    return this.#services.store
  }
  get keys() {
    return this.#services.keys
  }

  async open(): Promise<void> {
    this.#services = await testServices(makeModels([], {}))
    const operator = await this.keys.operator()
    const made = await createOrganization(this.acting(operator), { name: 'bee', owner: { email: 'owner@b.example' } })
    this.clock.advance(1) // the default projects are the oldest ones
    const userId = operator.userId!
    const home = { organizationId: operator.organizationId, projectId: operator.projectId, userId }
    this.#keys.set('owner', (await this.keys.create({ name: 'owner', place: home })).secret)
    this.#keys.set('admin', (await this.keys.create({ name: 'admin', kind: 'admin', place: home })).secret)
    const homeB = { organizationId: made.organization.id, projectId: made.projectId, userId: made.userId }
    this.#keys.set('ownerB', (await this.keys.create({ name: 'b', kind: 'admin', place: homeB })).secret)
    this.a = await this.#furnish('owner', home)
    this.b = await this.#furnish('ownerB', homeB)
    const key = async (who: Who, id: string, more: object = {}) => {
      const place = { organizationId: home.organizationId, projectId: this.a.project, userId: id }
      this.#keys.set(who, (await this.keys.create({ name: who, place, ...more })).secret)
    }
    await key('reader', await this.person('reader', 'member'))
    await key('member', await this.person('reader', 'member'))
    await key('projectOwner', await this.person('reader', 'owner'))
    await key('projectKey', userId, { kind: 'project' })
    await key('restricted', userId, { scopes: ['organization.write', 'model.read'], models: ['small'] })
  }

  close = (): Promise<void> => this.#services.close()

  /** Somebody new in A, and in its second project. @returns their id */
  async person(role: OrganizationRole, projectRole?: ProjectRole, email?: string): Promise<string> {
    const id = `user-${++this.#people}`
    this.clock.advance(1)
    const { build } = this.store
    const account = { id, email: email ?? `${id}@a.example`, name: `Person ${this.#people}` }
    const place = { organization_id: this.a.organization, user_id: id, created_at: this.clock.now() }
    await this.store.write([
      build
        .insertInto('users')
        .values({ ...account, password: null, identity: null, created_at: place.created_at, disabled_at: null }),
      build.insertInto('members').values({ ...place, role }),
      ...(projectRole === undefined
        ? []
        : [build.insertInto('project_members').values({ ...place, project_id: this.a.project, role: projectRole })]),
    ])
    return id
  }

  /** As the key of this one stands now. */
  caller = (who: Who): Promise<Caller> => this.keys.find(this.#keys.get(who))

  /** For functions of the platform. */
  acting(caller: Caller): Acting {
    const { store, keys, clock, ids } = this.#services
    return { caller, from: { ip: '192.0.2.1', userAgent: 'test/1', requestId: 'req_1' }, store, keys, clock, ids }
  }

  /** The reply or the fault; the checks above are made. @param path as clients write it, without the question */
  async ask(who: Who, method: string, path: string, { body, query = {} }: Asked = {}): Promise<Answer> {
    const before = await this.#snapshot()
    const answer = await this.#execute(await this.caller(who), method, path, body, query)
    const after = await this.#snapshot()
    const what = `${who}: ${method} ${path} → ${answer.status} ${JSON.stringify(answer.body)}`
    if (answer.status >= 400 || method === 'GET') assert.equal(after.rows, before.rows, what)
    assert.equal(after.rows === before.rows, after.events === before.events, `audit log: ${what}`)
    this.#checkSchema(method, path, answer, what)
    for (const secret of this.#secrets) assert.ok(!`${what}${after.rows}`.includes(secret), what)
    this.#remember(answer.body)
    return answer
  }

  /** The body of a reply that must be one. */
  async does(who: Who, method: string, path: string, asked: Asked = {}): Promise<Answer['body']> {
    const { status, body } = await this.ask(who, method, path, asked)
    assert.equal(status, 200, `${method} ${path}: ${JSON.stringify(body)}`)
    return body
  }

  /** @returns the fault as `[status, code, param]` */
  async refuses(
    who: Who,
    method: string,
    path: string,
    asked: Asked = {},
  ): Promise<[status: number, code: string | null, param: string | null]> {
    const { status, body } = await this.ask(who, method, path, asked)
    assert.ok(status >= 400, `${method} ${path}: ${JSON.stringify(body)}`)
    return [status, body.error.code, body.error.param]
  }

  /** Asks all at once, with the rights that each has at the beginning. @returns the statuses */
  async together(
    asked: readonly (readonly [who: Who, method: string, path: string, body?: unknown])[],
  ): Promise<number[]> {
    const callers = await Promise.all(asked.map(([who]) => this.caller(who)))
    const answers = await Promise.all(
      asked.map(([, method, path, body], place) => this.#execute(callers[place]!, method, path, body, {})),
    )
    return answers.map(({ status }) => status)
  }

  /** Whether a secret opens anything, and where. */
  async opens(secret: string): Promise<Caller | number> {
    return this.keys.find(secret).catch((error: unknown) => {
      if (error instanceof Fault) return error.status
      throw error
    })
  }

  async #furnish(who: Who, { organizationId, projectId, userId }: Record<string, string>): Promise<Place> {
    const root = '/v1/organization'
    const { id: project } = await this.does(who, 'POST', `${root}/projects`, { body: { name: 'Second' } })
    const inside = `${root}/projects/${project}`
    await this.does(who, 'POST', `${inside}/users`, { body: { user_id: userId, role: 'owner' } })
    const account = await this.does(who, 'POST', `${inside}/service_accounts`, { body: { name: 'robot' } })
    const key = await this.does(who, 'POST', `${inside}/api_keys`, { body: { name: 'a key' } })
    const invited = { email: `invited@${who.toLowerCase()}.example`, role: 'reader' }
    const invite = await this.does(who, 'POST', `${root}/invites`, { body: invited })
    const adminKey = await this.does(who, 'POST', `${root}/admin_api_keys`, { body: { name: 'an admin key' } })
    if (who === 'owner') this.#keys.set('serviceKey', account.api_key.value)
    return {
      organization: organizationId!,
      first: projectId!,
      project,
      user: userId!,
      serviceAccount: account.id,
      key: key.id,
      invite: invite.id,
      adminKey: adminKey.id,
    }
  }

  async #execute(caller: Caller, method: string, path: string, body: unknown, query: object): Promise<Answer> {
    const { operation, params } = operationOf(method, path)
    const asked = {
      body: operation.body === undefined ? undefined : (body ?? {}),
      bytes: 0,
      params,
      query: { ...query },
      caller,
      from: this.acting(caller).from,
      signal: new AbortController().signal,
      wants: 'bytes' as const,
    }
    try {
      const reply = await execute(operation, asked, this.#services)
      assert.equal(reply.kind, 'json')
      return { status: 200, body: (reply.kind === 'json' ? reply.value : {}) as Shown }
    } catch (error) {
      if (!(error instanceof Fault) || error.status >= 500) throw error
      return { status: error.status, body: error.body() as object as Shown }
    }
  }

  #checkSchema(method: string, path: string, { status, body }: Answer, what: string): void {
    const isOurs = method === 'POST' && /\/projects\/[^/]+\/api_keys(?:$|\/)/.test(path)
    if (isOurs && status === 200) return
    for (const era of eras) {
      const found = validateReply(era, method, path, status, body)
      const unknown = found[0]?.startsWith('no schema') === true && era !== '2026-08-21'
      if (!unknown) assert.deepEqual(found, [], `${era}: ${what}`)
    }
  }

  /** From now on these must not be seen. */
  #remember(body: Answer['body']): void {
    for (const secret of [body?.value, body?.api_key?.value, body?.accept_token])
      if (typeof secret === 'string') this.#secrets.push(secret)
  }

  async #snapshot(): Promise<{ rows: string; events: number }> {
    const kept = []
    for (const table of tables) kept.push(await this.store.read.selectFrom(table).selectAll().execute())
    const rows = JSON.stringify(kept, (name, value) => (name === 'last_used_at' ? undefined : value))
    return { rows, events: kept.at(-1)!.length }
  }
}

/** The operation of a path, and what the path says in the places of its parameters. */
function operationOf(method: string, path: string): { operation: Operation; params: Record<string, string> } {
  const given = path.split('/')
  for (const operation of peopleOperations) {
    const steps = operation.path.split('/')
    if (operation.method !== method || steps.length !== given.length) continue
    if (!steps.every((step, at) => step.startsWith('{') || step === given[at])) continue
    const places = [...steps.entries()].filter(([, step]) => step.startsWith('{'))
    return {
      operation,
      params: Object.fromEntries(places.map(([at, step]) => [step.slice(1, -1), decodeURIComponent(given[at]!)])),
    }
  }
  throw new Error(`There is no ${method} ${path}.`)
}
