import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { scriptedEngine } from '../../src/engines/scripted.ts'
import { makeServer, type Server } from '../../src/http/server.ts'
import { systemTimers } from '../../src/lib/timers.ts'
import { operations } from '../../src/operations/index.ts'
import { makeBatches } from '../../src/platform/batches/index.ts'
import { makeIdempotency } from '../../src/platform/idempotency.ts'
import { makeLimits } from '../../src/platform/limits/index.ts'
import { makeModels, type Target } from '../../src/platform/models.ts'
import type { Acting } from '../../src/platform/people/acting.ts'
import { createOrganization } from '../../src/platform/people/organizations.ts'
import { priceOf } from '../../src/platform/prices.ts'
import { testServices } from '../../src/platform/services.fixture.ts'
import { makeQueue } from '../../src/store/queue/index.ts'
import type { OrganizationRole, ProjectRole } from '../../src/store/schema/accounts.ts'
import type { Database } from '../../src/store/schema.ts'
import { FormBody } from './form.ts'
import { type Place, placeOf } from './place.ts'

/** The ways in which somebody of organisation A says who they are. */
export const carriers = [
  ...(['owner key', 'owner cookie', 'admin key', 'project key', 'project owner key', 'service account key'] as const),
  ...(['reader key', 'reader cookie', 'project api-key'] as const),
] as const
export type Carrier = (typeof carriers)[number]

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

export interface Asked {
  body?: unknown
  headers?: Record<string, string>
}

/** Where each table says whose a row is; null: nobody's. A new table does not compile without a word here. */
const owners: { readonly [Table in keyof Database]: (keyof Database[Table] & string) | null } = {
  organizations: 'id',
  users: 'id',
  members: 'organization_id',
  projects: 'organization_id',
  project_members: 'organization_id',
  service_accounts: 'organization_id',
  invites: 'organization_id',
  api_keys: 'organization_id',
  sessions: 'organization_id',
  audit_log: 'organization_id',
  idempotency: 'project_id',
  usage: 'organization_id',
  spend_limits: 'organization_id',
  rate_limits: 'organization_id',
  prices: null,
  credit_grants: 'organization_id',
  credit_codes: 'organization_id',
  notices: 'organization_id',
  chat_completions: 'organization_id',
  chat_completion_labels: 'project_id',
  blobs: 'organization_id',
  files: 'organization_id',
  uploads: 'organization_id',
  upload_parts: 'project_id',
  jobs: 'organization_id',
  batches: 'organization_id',
  job_events: null, // of their jobs; shown to nobody
  upstreams: null, // the operator's, as the routes
  routes: null,
  route_upstreams: null,
  settings: null,
}
export const tables = Object.keys(owners) as (keyof Database)[]

/** What moves by itself when somebody comes in. */
const restless = new Set(['last_used_at', 'expires_at'])
const restlessTables = new Set(['api_keys', 'sessions'])

const password = 'correct horse battery'

/**
 * The whole server over a real store, with three organisations: the operator's, and A and B with everything that an organisation can
 * have. A has its things in its second project; `cousin` is what stands in its first one.
 */
export class World {
  #services!: Awaited<ReturnType<typeof testServices>>
  #idempotency!: ReturnType<typeof makeIdempotency>
  #limits!: Awaited<ReturnType<typeof makeLimits>>
  #server!: Server
  readonly #agent = new Agent()
  #base = ''
  readonly #credentials = new Map<Carrier, Record<string, string>>()
  readonly #own = new Set<string | null>()
  #keyOfB: Record<string, string> = {}
  a!: Place
  b!: Place
  cousin!: Place

  get store() {
    return this.#services.store
  }
  get clock() {
    return this.#services.clock
  }

  async open(): Promise<void> {
    const engine = scriptedEngine({ name: 'words' })
    const target: Target = {
      name: 'words',
      ownedBy: 'test',
      created: 1_700_000_000,
      price: priceOf({ input: 1, output: 2 }),
      abilities: engine.abilities,
      open: () => engine,
    }
    const services = await testServices(makeModels([target], {}))
    const { store, clock, log, keys, ids, dataDir } = services
    this.#limits = await makeLimits({ store, clock, log })
    // Nobody works them off: they stay as they were made.
    const batches = makeBatches(
      { queue: makeQueue({ store, clock, ids }), timers: systemTimers, services: () => this.#services },
      { operations, folder: join(dataDir, 'batches'), widthOf: () => 1 },
    )
    this.#services = { ...services, limits: this.#limits, batches }
    this.#idempotency = makeIdempotency({ store, clock, log })
    this.#server = makeServer({
      operations,
      services: this.#services,
      keys,
      idempotency: this.#idempotency,
      version: '0.0.0',
      maxBodyBytes: 100_000,
      logRequests: false,
    })
    const { port } = await this.#server.listen('127.0.0.1', 0)
    this.#base = `http://127.0.0.1:${port}`
    await this.#furnish()
  }

  async close(): Promise<void> {
    await this.#agent.close()
    await this.#server.drain(1000)
    this.#idempotency.close()
    this.#limits.close()
    await this.#services.close()
  }

  /** @param path with its question. Whoever has a cookie sends what browsers send beside it. */
  send(carrier: Carrier | null, method: string, path: string, { body, headers = {} }: Asked = {}): Promise<Answer> {
    const credentials = carrier === null ? {} : this.#credentials.get(carrier)!
    return this.#send(credentials, method, path, { body, headers })
  }

  /** B gets more of everything that is counted or listed, and spends. */
  async busyB(): Promise<void> {
    const { store, b } = this
    const row = await store.read
      .selectFrom('usage')
      .selectAll()
      .where('project_id', '=', b.project)
      .executeTakeFirstOrThrow()
    const grant = await store.read
      .selectFrom('credit_grants')
      .selectAll()
      .where('id', '=', b.grant)
      .executeTakeFirstOrThrow()
    const spent = { cost_nano: 7e12, reserved_nano: 7e12, input_tokens: 7, output_tokens: 7 }
    await store.write([
      store.build.insertInto('usage').values({ ...row, ...spent, id: 'use_running', status: 'open' }),
      store.build.insertInto('usage').values({ ...row, ...spent, id: 'use_ended', model: 'zebra-model' }),
      store.build.insertInto('credit_grants').values({ ...grant, id: 'grant_zebra' }),
    ])
    const ask = (path: string, body: object) => this.#does(this.#keyOfB, 'POST', `/v1/organization${path}`, { body })
    await ask('/projects', { name: 'zebra third' })
    await ask('/invites', { email: 'more@zebra.example', role: 'owner' })
    await ask('/admin_api_keys', { name: 'zebra more' })
    await ask(`/projects/${b.project}/api_keys`, { name: 'zebra more' })
    await ask(`/projects/${b.project}/service_accounts`, { name: 'zebra more' })
    await ask('/spend_limit', { threshold_amount: 1, currency: 'USD', interval: 'month' })
    await ask('/limits', { subject: 'project', subject_id: b.project, rates: [{ model: '*', requests_per_minute: 1 }] })
  }

  /** Takes over what was written into the tables of limits. */
  async limitsChanged(): Promise<void> {
    await Promise.all([this.#limits.changed(), this.#services.ledger.changed()])
  }

  /** All there is, a row a line; `foreign`: what is not A's. */
  async rows(): Promise<{ all: string[]; foreign: string[] }> {
    await this.store.flush()
    const all: string[] = []
    const foreign: string[] = []
    for (const table of tables) {
      const owner = owners[table]
      const rows: Record<string, unknown>[] = await this.store.read.selectFrom(table).selectAll().execute()
      for (const row of rows) {
        const calm = Object.entries(row).filter(([name]) => !(restlessTables.has(table) && restless.has(name)))
        const line = `${table} ${JSON.stringify(Object.fromEntries(calm))}`
        all.push(line)
        if (owner === null || !this.#own.has(row[owner] as string | null)) foreign.push(line)
      }
    }
    return { all: all.sort(), foreign: foreign.sort() }
  }

  /** Names of all columns. */
  async columns(): Promise<string[]> {
    const found = await this.store.read.introspection.getTables()
    const ours = found.filter(({ name }) => tables.includes(name as keyof Database))
    assert.equal(ours.length, tables.length)
    return [...new Set(ours.flatMap(({ columns }) => columns.map(({ name }) => name)))].sort()
  }

  async #furnish(): Promise<void> {
    const operator = await this.#services.keys.operator()
    const acting: Acting = { ...this.#services, caller: operator, from: { ip: null, userAgent: null, requestId: null } }
    const home = { organizationId: operator.organizationId, projectId: operator.projectId, userId: operator.userId }
    const { secret } = await this.#services.keys.create({ name: 'operator', kind: 'admin', place: home })
    const founded = async (name: string) => {
      this.clock.advance(1)
      return createOrganization(acting, {
        name,
        title: `Title ${name}`,
        owner: { email: `owner@${name}.example`, name },
      })
    }
    const [b, a] = [await founded('zebra'), await founded('apple')]
    const helpers = { world: this, operator: bearer(secret), does: this.#does, person: this.#person }
    const theirs = await placeOf(helpers, 'zebra', b)
    this.b = theirs.second
    this.#keyOfB = theirs.credentials.get('owner key')!
    const mine = await placeOf(helpers, 'apple', a)
    this.a = mine.second
    this.cousin = mine.first
    for (const [carrier, credentials] of mine.credentials) this.#credentials.set(carrier, credentials)
    for (const place of [this.a, this.cousin])
      for (const id of [place.organization, place.project, place.user, place.other]) this.#own.add(id)
    const members = await this.store.read
      .selectFrom('members')
      .select('user_id')
      .where('organization_id', '=', this.a.organization)
      .execute()
    for (const { user_id } of members) this.#own.add(user_id)
  }

  /** The reply to what must be one. */
  readonly #does: Does = async (credentials, method, path, asked) => {
    const answer = await this.#send(credentials, method, path, asked ?? {})
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`)
    return { ...answer, body: JSON.parse(answer.text) }
  }

  /** Somebody with a password, and a key of theirs in a project. */
  readonly #person: Person = async ({ name, email, organization, project, role, projectRole, userId }) => {
    const { store, keys, signIn, ids, clock } = this.#services
    clock.advance(1)
    const id = userId ?? ids.make('user')
    const created_at = clock.now()
    const hash = await signIn.passwords.hash(password)
    const inProject = { project_id: project, organization_id: organization, user_id: id, created_at }
    const account = { id, email, name, password: hash, identity: null, created_at, disabled_at: null }
    const member = { organization_id: organization, user_id: id, role, created_at }
    const { build } = store
    if (userId === undefined)
      await store.write([build.insertInto('users').values(account), build.insertInto('members').values(member)])
    else await store.write(build.updateTable('users').set({ password: hash }).where('id', '=', id))
    if (projectRole !== undefined)
      await store.write(build.insertInto('project_members').values({ ...inProject, role: projectRole }))
    const place = { organizationId: organization, projectId: project, userId: id }
    const { secret } = await keys.create({ name: `key of ${name}`, place })
    const signedIn = await this.#does({}, 'POST', '/v1/parlance/sessions', { body: { email, password } })
    const [cookie = ''] = String(signedIn.headers['set-cookie']).split(';', 1)
    return { id, key: bearer(secret), cookie: { cookie, 'x-parlance-csrf': '1' }, session: signedIn.body.id }
  }

  async #send(
    credentials: Record<string, string>,
    method: string,
    path: string,
    { body, headers = {} }: Asked,
  ): Promise<Answer> {
    const { type, bytes } =
      body instanceof FormBody ? body.encoded() : { type: 'application/json', bytes: JSON.stringify(body) }
    const reply = await request(this.#base + path, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: { ...(body !== undefined && { 'content-type': type }), ...credentials, ...headers },
      body: body === undefined ? null : bytes,
    })
    return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() }
  }
}

export const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

export type Does = (
  credentials: Record<string, string>,
  method: string,
  path: string,
  asked?: Asked,
  // biome-ignore lint/suspicious/noExplicitAny: replies are read here as tests like
) => Promise<Answer & { body: any }>

export type Person = (who: {
  name: string
  email: string
  organization: string
  project: string
  role: OrganizationRole
  projectRole?: ProjectRole
  /** Of an account that is there. */
  userId?: string
}) => Promise<{ id: string; key: Record<string, string>; cookie: Record<string, string>; session: string }>
