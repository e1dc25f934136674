import type { MadeOrganization } from '../../src/platform/people/organizations.ts'
import type { RateLimitsTable } from '../../src/store/schema/money.ts'
import { FormBody } from './form.ts'
import { bearer, type Carrier, type Does, type Person, type World } from './world.ts'

/** The kinds of what somebody owns and a request can name. */
export interface Place {
  organization: string
  slug: string
  project: string
  /** The first owner, who is in the project. */
  user: string
  email: string
  /** Somebody of the organisation who is not in the project. */
  other: string
  otherEmail: string
  serviceAccount: string
  /** Of the service account. */
  serviceKey: string
  key: string
  adminKey: string
  invite: string
  invitedEmail: string
  /** Of an invite that was accepted. */
  inviteSecret: string
  completion: string
  message: string
  file: string
  /** It is pending, and has the part. */
  upload: string
  part: string
  /** The input of the batch. */
  batchFile: string
  batch: string
  endUser: string
  /** Of the audit log. */
  event: string
  /** What was changed. */
  subject: string
  rateLimit: string
  /** Subjects with limits, as a list knows them. */
  limitedProject: string
  limitedKey: string
  grant: string
  code: string
  /** It was redeemed. */
  codeSecret: string
  session: string
}

export type Kind = keyof Place

interface Helpers {
  world: World
  /** Of the one who runs the server. */
  operator: Record<string, string>
  does: Does
  person: Person
}

interface Furnished {
  first: Place
  second: Place
  credentials: Map<Carrier, Record<string, string>>
}

const root = '/v1/organization'

/** Fills an organisation with one of everything, in its default project and in a second one. Texts in it hold its name. */
export async function placeOf(
  { world, operator, does, person }: Helpers,
  name: string,
  { organization: { id: organization }, projectId, userId }: MadeOrganization,
): Promise<Furnished> {
  const { store, clock } = world
  const email = `owner@${name}.example`
  const inFirst = { organization, project: projectId }
  const owner = await person({ ...inFirst, name, email, role: 'owner', projectRole: 'owner', userId })
  const ask = (method: string, path: string, body?: object) => does(owner.key, method, path, { body })
  const { body: project } = await ask('POST', `${root}/projects`, { name: `${name} second` })
  const { body: adminKey } = await ask('POST', `${root}/admin_api_keys`, { name: `${name} admin` })
  const invited = `invited@${name}.example`
  const { body: accepted } = await ask('POST', `${root}/invites`, { email: invited, role: 'reader' })
  const acceptance = { token: accepted.accept_token, name: `${name} guest`, password: 'correct horse battery' }
  const joined = await does({}, 'POST', '/v1/parlance/invites/accept', { body: acceptance })
  const waiting = `waiting@${name}.example`
  const body = { email: waiting, role: 'reader', projects: [{ id: project.id, role: 'member' }] }
  const { body: invite } = await ask('POST', `${root}/invites`, body)
  const codes = await does(operator, 'POST', `${root}/credit/codes`, { body: { amount_usd: 5 } })
  const [{ id: code, code: codeSecret }] = codes.body.data
  await does(operator, 'POST', `${root}/credit`, { body: { enabled: true, organization_id: organization } })
  const { body: grant } = await ask('POST', `${root}/credit/redeem`, { code: codeSecret })
  await ask('POST', `${root}/spend_limit`, { threshold_amount: 90_000, currency: 'USD', interval: 'month' })
  await store.write(
    store.build.insertInto('notices').values({
      ...{ organization_id: organization, subject: 'credit', subject_id: organization, month: '2023-11' },
      ...{ threshold_nano: 0, created_at: clock.now() },
    }),
  )
  const common = {
    ...{ organization, slug: name, user: userId, email, other: joined.body.user.id, otherEmail: invited },
    ...{ adminKey: adminKey.id, invite: invite.id, invitedEmail: waiting, inviteSecret: accepted.accept_token },
    ...{ grant: grant.id, code, codeSecret, session: owner.session },
  }
  const credentials = new Map<Carrier, Record<string, string>>([
    ['owner key', { ...owner.key, 'openai-project': project.id }],
    ['owner cookie', { ...owner.cookie, 'openai-project': project.id }],
    ['admin key', bearer(adminKey.value)],
  ])
  const inSecond = { organization, project: project.id }
  const projectOwner = { name: `${name} head`, email: `head@${name}.example`, role: 'reader' } as const
  const head = await person({ ...inSecond, ...projectOwner, projectRole: 'owner' })
  credentials.set('project owner key', head.key)
  const reading = { name: `${name} reader`, email: `reader@${name}.example`, role: 'reader' } as const
  const reader = await person({ ...inSecond, ...reading, projectRole: 'member' })
  credentials.set('reader key', reader.key).set('reader cookie', reader.cookie)
  await ask('POST', `${root}/projects/${project.id}/users`, { user_id: userId, role: 'owner' })

  const first = { ...common, ...(await furnished(projectId)).place }
  const { place, key, service } = await furnished(project.id)
  credentials.set('project key', key).set('service account key', service)
  credentials.set('project api-key', { 'api-key': key.authorization.slice('Bearer '.length) })
  return { first, second: { ...common, ...place }, credentials }

  async function furnished(project: string) {
    const inside = `${root}/projects/${project}`
    const { body: account } = await ask('POST', `${inside}/service_accounts`, { name: `${name} robot` })
    const { body: key } = await ask('POST', `${inside}/api_keys`, { name: `${name} key` })
    const endUser = `${name}-user-${project.slice(-4)}`
    const chat = {
      ...{ model: 'words', user: endUser, store: true, metadata: { note: name } },
      messages: [{ role: 'user', content: `${name} says this` }],
    }
    const headers = { 'idempotency-key': `${name}-1` }
    const said = await does(bearer(key.value), 'POST', '/v1/chat/completions', { body: chat, headers })
    const messages = await does(bearer(key.value), 'GET', `/v1/chat/completions/${said.body.id}/messages`)
    const { body: file } = await does(bearer(key.value), 'POST', '/v1/files', {
      body: new FormBody({ field: 'file', name: `${name}.txt`, text: `${name} wrote this` }, { purpose: 'assistants' }),
    })
    const begun = { filename: `${name}.txt`, purpose: 'assistants', bytes: 9, mime_type: 'text/plain' }
    const { body: upload } = await does(bearer(key.value), 'POST', '/v1/uploads', { body: begun })
    const { body: part } = await does(bearer(key.value), 'POST', `/v1/uploads/${upload.id}/parts`, {
      body: new FormBody({ field: 'data', name: 'part', text: `${name} part` }),
    })
    const line = { custom_id: name, method: 'POST', url: '/v1/chat/completions', body: chat }
    const { body: batchFile } = await does(bearer(key.value), 'POST', '/v1/files', {
      body: new FormBody(
        { field: 'file', name: `${name}.jsonl`, text: `${JSON.stringify(line)}\n` },
        { purpose: 'batch' },
      ),
    })
    const { body: batch } = await does(bearer(key.value), 'POST', '/v1/batches', {
      body: {
        ...{ input_file_id: batchFile.id, endpoint: line.url, completion_window: '24h' },
        metadata: { note: `${name} batch` },
      },
    })
    const limit = (subject: string, subject_id: string, more: object = {}) =>
      ask('POST', `${root}/limits`, { subject, subject_id, hard_limit_usd: 900, ...more })
    const { body: limitedProject } = await limit('project', project)
    const { body: limitedKey } = await limit('key', key.id, {
      rates: [{ model: 'words', requests_per_minute: 900_000 }],
    })
    await limit('end_user', endUser)
    const rates = { requests_per_minute: null, tokens_per_minute: null, requests_per_day: 900, tokens_per_day: null }
    const ofModel: RateLimitsTable = {
      ...{ ...rates, images_per_minute: null, concurrent_requests: null, updated_at: clock.now() },
      ...{ organization_id: organization, subject: 'project', subject_id: project, model: `${name}-model` },
    }
    await store.write(store.build.insertInto('rate_limits').values(ofModel))
    const events = await ask('GET', `${root}/audit_logs?limit=1`)
    const place = {
      ...{ project, serviceAccount: account.id, serviceKey: account.api_key.id, key: key.id },
      ...{ completion: said.body.id, message: messages.body.data[0].id, endUser, event: events.body.data[0].id },
      ...{ subject: key.id, rateLimit: `rl-${name}-model`, limitedProject: limitedProject.id },
      ...{ limitedKey: limitedKey.id, file: file.id, upload: upload.id, part: part.id },
      ...{ batchFile: batchFile.id, batch: batch.id },
    }
    return { place, key: bearer(key.value), service: bearer(account.api_key.value) }
  }
}
