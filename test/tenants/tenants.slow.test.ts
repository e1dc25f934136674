import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { azurePaths } from '../../src/http/azure/paths.ts'
import { operations } from '../../src/operations/index.ts'
import type { Operation } from '../../src/platform/operation.ts'
import { type Attempt, attempt, combinations, madeUp, type Parameter } from './attempts.ts'
import { type Entry, entriesOf, parameters } from './parameters.ts'
import type { Kind, Place } from './place.ts'
import { type Answer, type Carrier, carriers, World } from './world.ts'

const world = new World()
before(() => world.open())
after(() => world.close())

/** So that nobody is known from before; and failures to sign in are forgiven. */
const later = ({ scope }: Operation) => world.clock.advance(scope === 'anyone' ? 200_000 : 1001)

/** What is new in each reply, and what differs with the time that it took. */
const volatile = new Set([
  ...['x-request-id', 'openai-processing-ms', 'date', 'content-length', 'set-cookie', 'apim-request-id'],
  ...['x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
])
const fresh =
  /\b(?:chatcmpl-|cmpl-|invite-|inv-|key_|sk-\w*-?|svc_acct_|user-|grant_|audit_log-|proj_)[A-Za-z0-9]{16,}/g

/** A reply as it is to be compared: without ids that were made for it, and with `id` replaced. */
function comparable({ status, headers, text }: Answer, ids: ReadonlyMap<string, string>): string {
  const kept = Object.entries(headers).filter(([name]) => !volatile.has(name))
  let told = JSON.stringify([status, kept.sort(), text])
  for (const [id, name] of ids)
    for (const form of new Set([id, encodeURIComponent(id), id.slice(0, 80), id.slice(0, 100)]))
      told = told.replaceAll(form, name)
  return told.replaceAll(fresh, 'fresh')
}

/** What whoever has the right to an operation is answered; those of the machine's operator are closed to all keys. */
function expected({ scope }: Operation, { answers = {} }: Entry, { where, name }: Parameter): readonly number[] {
  if (scope === 'operator') return [403]
  const said = answers[name]
  if (said !== undefined) return [said]
  if (where === 'path') return [404]
  if (where === 'query') return name === 'after' || name === 'before' ? [400] : [200]
  return name === 'user' || name === 'safety_identifier' ? [200, 400] : [404]
}

const texts = (place: Place): string[] => [...Object.values(place), 'zebra']

/** Nothing of B stands in a reply, beside what was asked with. */
function assertNothingOfB(answer: Answer, { foreign }: Attempt, what: string): void {
  let told = answer.text + JSON.stringify(answer.headers)
  for (const { kind } of foreign)
    told = told.replaceAll(world.b[kind], '').replaceAll(encodeURIComponent(world.b[kind]), '')
  for (const text of texts(world.b)) assert.ok(!told.includes(text), `${what}: ${text} in ${told}`)
}

interface Given {
  operation: Operation
  entry: Entry
  carrier: Carrier
  parameters: readonly Parameter[]
  theirs: Place
  /** Where Azure's clients look. */
  azure?: boolean
}

/** One of the paths by which Azure's clients reach the same operation. */
const azurePath = (path: string): string => path.replace('/v1/', '/openai/')

/** Asks with somebody else's ids and with ids of nobody. @returns the status of both */
async function compared({
  operation,
  entry,
  carrier,
  parameters: foreign,
  theirs,
  azure = false,
}: Given): Promise<number> {
  const ids = (kind: Kind) => theirs[kind]
  const none = (kind: Kind) => madeUp(theirs[kind])
  later(operation)
  const send = async (value: (kind: Kind) => string) => {
    const made = attempt(operation, entry, world.a, foreign, value)
    const answer = await world.send(
      carrier,
      operation.method,
      azure ? azurePath(made.path) : made.path,
      made.body === undefined ? {} : { body: made.body },
    )
    return { made, answer }
  }
  const real = await send(ids)
  const missing = await send(none)
  const names = (value: (kind: Kind) => string) => new Map(foreign.map(({ kind }) => [value(kind), `<${kind}>`]))
  const what = `${carrier}: ${operation.method} ${real.made.path} ${JSON.stringify(real.made.body)}`
  assert.equal(comparable(real.answer, names(ids)), comparable(missing.answer, names(none)), what)
  if (theirs === world.b) assertNothingOfB(real.answer, real.made, what)
  return real.answer.status
}

/** As the last look found them. */
let known: Awaited<ReturnType<World['rows']>> | undefined

/** Nothing of others changes, and nothing at all where everything is refused. */
async function unchanged(entry: Entry, what: string, work: () => Promise<'refused' | 'done'>): Promise<void> {
  const before = known ?? (await world.rows())
  const outcome = await work()
  const after = await world.rows()
  known = after
  const traces = (rows: string[]) => (entry.leavesTraces ? rows.filter(row => !row.startsWith('audit_log')) : rows)
  assert.deepEqual(traces(after.foreign), traces(before.foreign), what)
  if (outcome === 'refused') assert.deepEqual(traces(after.all), traces(before.all), what)
}

/** All that A can read, by who reads and what. */
async function readable(): Promise<Map<string, Answer>> {
  const replies = new Map<string, Answer>()
  for (const operation of operations) {
    if (operation.method !== 'GET') continue
    for (const entry of entriesOf(operation)) {
      const { path } = attempt(operation, entry, world.a, [], kind => world.a[kind])
      for (const carrier of carriers) replies.set(`${carrier}: ${path}`, await world.send(carrier, 'GET', path))
    }
  }
  return replies
}

/** First of all: later everything is asked with what B has, and some of that is kept. */
test('what one organisation has and does is in no list and no sum of the other', async () => {
  await readable() // whoever is seen for the first time leaves a mark
  const found = await readable()
  for (const carrier of carriers) {
    const theirs = [...found].filter(([what, { status }]) => what.startsWith(carrier) && status === 200)
    const held = theirs.filter(([, { text }]) => texts(world.a).some(one => text.includes(one)))
    assert.ok(held.length > 1, `${carrier}: only ${held.length} replies hold anything`)
  }
  for (const [what, answer] of found) assertNothingOfB(answer, { foreign: [], path: '', body: undefined }, what)
  await world.busyB()
  for (const [what, answer] of await readable())
    assert.equal(comparable(answer, new Map()), comparable(found.get(what)!, new Map()), what)
})

describe("somebody else's id is answered as an id of nobody", () => {
  for (const operation of operations)
    test(operation.id, async () => {
      for (const entry of entriesOf(operation))
        for (const foreign of combinations(entry)) {
          const what = `${operation.id} ${foreign.map(({ name }) => name)}`
          const statuses = new Set<number>()
          await unchanged(entry, what, async () => {
            for (const carrier of carriers)
              statuses.add(await compared({ operation, entry, carrier, parameters: foreign, theirs: world.b }))
            const isRefused = operation.method === 'GET' || [...statuses].every(status => status >= 400)
            if (operation.bills === 'tokens') return 'done' // what failed has a row in the ledger, too
            return isRefused ? 'refused' : 'done'
          })
          const wanted = foreign.flatMap(parameter => expected(operation, entry, parameter))
          assert.ok(
            wanted.some(status => statuses.has(status)),
            `${what}: nobody was answered ${wanted}, but ${[...statuses]}`,
          )
        }
    })
})

describe("somebody else's id is answered as one of nobody where Azure's clients look, too", () => {
  const theirs = operations.filter(operation => operation.id in parameters && azurePaths(operation).length > 0)
  for (const operation of theirs)
    for (const entry of entriesOf(operation))
      for (const foreign of combinations(entry))
        test(`${operation.id} ${foreign.map(({ name }) => name)}`, async () => {
          await unchanged(entry, operation.id, async () => {
            const asked = { operation, entry, parameters: foreign, theirs: world.b, azure: true }
            const status = await compared({ ...asked, carrier: 'project api-key' })
            const wanted = foreign.flatMap(parameter => expected(operation, entry, parameter))
            assert.ok(wanted.includes(status), `${status} and not ${wanted}`)
            return operation.bills === 'tokens' ? 'done' : 'refused'
          })
        })
})

/** What stands in a project and nowhere else: not even the others of the organisation reach it through another project. */
const ofProjects = new Set<Kind>([
  'serviceAccount',
  'key',
  'completion',
  'message',
  'rateLimit',
  'file',
  'upload',
  'part',
  'batchFile',
  'batch',
])
/** Everybody reads the rate limits of models by the same names in all projects. */
const inEach = new Set<Kind>(['rateLimit'])

describe('what another project of the organisation has is not there in this one', () => {
  for (const operation of operations.filter(({ id }) => id in parameters)) {
    const [entry = {}] = entriesOf(operation)
    const foreign = combinations(entry).filter(
      ([one, ...others]) => others.length === 0 && ofProjects.has(one!.kind) && !inEach.has(one!.kind),
    )
    const isInside =
      'project_id' in (entry.path ?? {}) || /^(?:chat\.completions|files|uploads|batches)\./.test(operation.id)
    for (const parameters of isInside ? foreign : [])
      test(`${operation.id} ${parameters[0]!.name}`, () =>
        unchanged(entry, operation.id, async () => {
          for (const carrier of carriers) {
            const status = await compared({ operation, entry, carrier, parameters, theirs: world.cousin })
            assert.ok(status >= 400)
          }
          return 'refused'
        }))
  }
})

const bySlug: [string, Kind] = ['openai-organization', 'slug']

describe('the headers that choose an organisation and a project choose none of somebody else', () => {
  const headers: [name: string, kind: Kind][] = [
    ['openai-organization', 'organization'],
    ['openai-project', 'project'],
  ]
  for (const operation of operations)
    test(operation.id, async () => {
      const [entry = {}] = entriesOf(operation)
      const { path, body } = attempt(operation, entry, world.a, [], kind => world.a[kind])
      const asked = body === undefined ? {} : { body }
      await unchanged(entry, operation.id, async () => {
        for (const carrier of carriers)
          for (const [name, kind] of operation.id === 'models.list' ? [...headers, bySlug] : headers) {
            later(operation)
            const ask = async (id: string) => {
              const answer = await world.send(carrier, operation.method, path, { ...asked, headers: { [name]: id } })
              return [answer.status, comparable(answer, new Map([[id, `<${kind}>`]]))] as const
            }
            const [status, told] = await ask(world.b[kind])
            assert.equal(told, (await ask(madeUp(world.b[kind])))[1], `${carrier} ${name} ${kind}`)
            if (operation.scope !== 'anyone') assert.equal(status, 401, `${carrier} ${name} ${told}`)
          }
        return 'refused'
      })
    })
})

test('a name for requests that are answered once is its sender’s own', async () => {
  const body = { model: 'words', user: world.b.endUser, store: true, metadata: { note: 'zebra' } }
  const messages = [{ role: 'user', content: 'zebra says this' }]
  for (const carrier of carriers) {
    if (carrier === 'project api-key') continue // the same key again
    const headers = { 'idempotency-key': 'zebra-1' }
    const answer = await world.send(carrier, 'POST', '/v1/chat/completions', { body: { ...body, messages }, headers })
    assert.equal(answer.headers['idempotent-replayed'], undefined)
    assert.ok(!answer.text.includes(world.b.completion))
    assert.equal(answer.status, carrier === 'admin key' ? 403 : 200, answer.text)
  }
})

test('end users of one name in two organisations have nothing to do with one another', async () => {
  const { store } = world
  const place = { organization_id: world.b.organization, subject: 'end_user' as const, subject_id: 'same name' }
  const nothing = { hard_nano: 0, soft_nano: null, updated_at: world.clock.now() + 1 }
  await store.write(store.build.insertInto('spend_limits').values({ ...place, ...nothing }))
  await world.limitsChanged()
  const body = { model: 'words', messages: [{ role: 'user', content: 'hi' }], user: 'same name' }
  const { status, text } = await world.send('project key', 'POST', '/v1/chat/completions', { body })
  assert.equal(status, 200, text)
  const path = '/v1/organization/limits'
  const limit = { subject: 'end_user', subject_id: 'same name', hard_limit_usd: 5 }
  for (const hard_limit_usd of [5, null, 5]) {
    const set = await world.send('owner key', 'POST', path, { body: { ...limit, hard_limit_usd } })
    assert.equal(set.status, 200, set.text)
    assert.equal(JSON.parse(set.text).hard_limit_usd, hard_limit_usd)
  }
  const taken = await world.send('owner key', 'DELETE', `${path}?subject=end_user&subject_id=same+name`)
  assert.equal(taken.status, 200, taken.text)
  const left = await store.read.selectFrom('spend_limits').selectAll().where('subject_id', '=', 'same name').execute()
  assert.deepEqual(left, [{ ...place, ...nothing }])
})
