import type { Kind } from './place.ts'

/** What an id names; `nobody`: nothing that anybody owns, although it is called an id; `secret`: it opens what it names to whoever has it. */
export type Names = Kind | 'nobody' | 'secret'

/** What an operation can be told by ids. */
export interface Entry {
  path?: Readonly<Record<string, Names>>
  query?: Readonly<Record<string, Names>>
  /** By their way into the body: `projects[].id`. */
  body?: Readonly<Record<string, Names>>
  /** A body that is good but for the ids in it, which are put in. */
  example?: object
  /** What must stand in the question. */
  asks?: Readonly<Record<string, string>>
  /** What is answered to somebody else's id by whoever may use the operation, where it is not what everybody expects of its place. */
  answers?: Readonly<Record<string, number>>
  /** What a body must not hold beside an id of this name. */
  instead?: Readonly<Record<string, string>>
  /** Which ids a body must hold although its schema does not say so. */
  needs?: readonly string[]
  /** Its doing is seen in the logs of others, because it is about them. */
  leavesTraces?: true
}

const nothing: Entry = {}
const project = { project_id: 'project' } as const
const end: Entry = { path: { ...project, user_id: 'user' } }
const account: Entry = { path: { ...project, service_account_id: 'serviceAccount' } }
const key: Entry = { path: { ...project, api_key_id: 'key' } }
const model: Entry = { path: { model: 'nobody' } }
const upstream: Entry = { path: { upstream: 'nobody' } }
const ofUpstream = { api_key: 'nobody', 'entra.tenant_id': 'nobody', 'entra.client_id': 'nobody' } as const // of others’ servers
const file: Entry = { path: { file_id: 'file' } }
const upload: Entry = { path: { upload_id: 'upload' } }
const list = (cursor: Names, more: Entry = {}): Entry => ({ ...more, query: { after: cursor, ...more.query } })
const since = { start_time: '1699900000' }
const report = (...names: ('user_ids' | 'api_key_ids')[]): Entry => ({
  asks: since,
  query: {
    page: 'nobody', // a time
    project_ids: 'project',
    ...(names.includes('user_ids') && { user_ids: 'user' }),
    ...(names.includes('api_key_ids') && { api_key_ids: 'key' }),
  },
})
const full = report('user_ids', 'api_key_ids')
const batch: Entry = { path: { batch_id: 'batch' } }
const chat = { model: 'words', messages: [{ role: 'user', content: 'hi' }] }
const asked: Entry = { body: { user: 'endUser' }, example: { model: 'words', input: 'hi', prompt: 'hi' } }
const spend = { threshold_amount: 90_000, currency: 'USD', interval: 'month' }
const root = 'organization'
const subjects = [
  ['organization', 'organization'],
  ['project', 'project'],
  ['key', 'key'],
  ['end_user', 'endUser'],
] as const

/**
 * For each operation, which of its parameters name things, and what. Whoever adds an operation adds a line; where it can be told an
 * id, the line says whose, and from then on it is tried with those of others. Several entries: it can be asked in several ways.
 */
export const parameters: Readonly<Record<string, Entry | readonly Entry[]>> = {
  'models.list': nothing,
  'models.retrieve': model,
  'models.delete': model,
  'chat.completions.create': {
    example: chat,
    body: {
      user: 'endUser',
      safety_identifier: 'endUser',
      prompt_cache_key: 'nobody',
      'messages[].tool_calls[].id': 'nobody',
      'messages[].tool_call_id': 'nobody',
      'messages[].audio.id': 'nobody',
      'messages[].content[].file.file_id': 'nobody',
      'audio.voice.id': 'nobody',
    },
  },
  'chat.completions.list': list('completion', { query: { model: 'nobody' } }),
  'chat.completions.retrieve': { path: { completion_id: 'completion' } },
  'chat.completions.update': { path: { completion_id: 'completion' }, example: { metadata: { a: 'b' } } },
  'chat.completions.delete': { path: { completion_id: 'completion' } },
  'chat.completions.messages.list': list('message', { path: { completion_id: 'completion' } }),
  'batches.create': {
    example: { endpoint: '/v1/chat/completions', completion_window: '24h' },
    body: { input_file_id: 'batchFile', output_expires_after: 'nobody' },
    needs: ['input_file_id'],
    answers: { input_file_id: 404 },
  },
  'batches.list': list('batch'),
  'batches.retrieve': batch,
  'batches.cancel': batch,
  'completions.create': { ...asked, example: { model: 'words', prompt: 'hi' } },
  'edits.create': { example: { model: 'words', input: 'hi', instruction: 'mend' } },
  'embeddings.create': { ...asked, example: { model: 'words', input: 'hi' } },
  'rerank.create': { body: { user: 'endUser' }, example: { model: 'words', query: 'a', documents: ['b'] } },
  'responses.input_tokens.count': {
    example: { model: 'words', input: 'hi' },
    body: { 'input[].call_id': 'nobody', previous_response_id: 'nobody', conversation: 'nobody' },
  },
  'files.create': { example: { purpose: 'assistants' }, body: { expires_after: 'nobody' } },
  'files.list': list('file'),
  'files.retrieve': file,
  'files.content': file,
  'files.delete': file,
  'uploads.create': {
    example: { filename: 'apple.txt', purpose: 'assistants', bytes: 5, mime_type: 'text/plain' },
    body: { expires_after: 'nobody' },
  },
  'uploads.parts.create': upload,
  'uploads.complete': { ...upload, body: { part_ids: 'part' }, answers: { part_ids: 400 } },
  'uploads.cancel': upload,
  'tokens.tokenize': { example: { model: 'words', input: 'hi' } },
  'tokens.detokenize': { example: { model: 'words', tokens: [1] } },
  'engines.list': nothing,
  'engines.retrieve': model,
  'engines.completions.create': { ...model, body: { user: 'endUser' }, example: { prompt: 'hi' } },
  'engines.embeddings.create': { ...model, body: { user: 'endUser' }, example: { input: 'hi' } },
  'parlance.models.loaded': nothing,
  'parlance.models.load': model,
  'parlance.models.unload': model,

  'parlance.sign_in.retrieve': nothing,
  'parlance.oidc.start': nothing,
  'parlance.oidc.callback': nothing,
  'parlance.sessions.create': {
    body: { email: 'email' },
    example: { email: 'nobody@apple.example', password: 'not the password' },
    answers: { email: 401 },
    leavesTraces: true,
  },
  'parlance.sessions.list': nothing,
  'parlance.sessions.current.retrieve': nothing,
  'parlance.sessions.current.delete': nothing,
  'parlance.sessions.delete': { path: { session_id: 'session' } },
  'parlance.users.me.update': { example: { name: 'apple' } },
  'parlance.setup': {
    body: { token: 'secret', email: 'email' },
    example: { token: `setup-${'0'.repeat(48)}`, email: 'x@apple.example', name: 'x', password: 'a long password' },
    answers: { email: 400 },
  },
  'parlance.invites.accept': {
    body: { token: 'inviteSecret' },
    example: { token: '', name: 'apple', password: 'a long password' },
    answers: { token: 400 },
  },

  [`${root}.admin_api_keys.list`]: list('adminKey'),
  [`${root}.admin_api_keys.create`]: { example: { name: 'apple' } },
  [`${root}.admin_api_keys.retrieve`]: { path: { key_id: 'adminKey' } },
  [`${root}.admin_api_keys.delete`]: { path: { key_id: 'adminKey' } },
  [`${root}.users.list`]: list('user', { query: { emails: 'email' } }),
  [`${root}.users.retrieve`]: { path: { user_id: 'user' } },
  [`${root}.users.update`]: {
    path: { user_id: 'user' },
    example: { role: 'reader' },
    body: { role_id: 'nobody' },
  },
  [`${root}.users.delete`]: { path: { user_id: 'user' } },
  [`${root}.invites.list`]: list('invite'),
  [`${root}.invites.create`]: {
    body: { email: 'email', 'projects[].id': 'project' },
    example: { email: 'new@apple.example', role: 'reader' },
    answers: { email: 200 },
  },
  [`${root}.invites.retrieve`]: { path: { invite_id: 'invite' } },
  [`${root}.invites.delete`]: { path: { invite_id: 'invite' } },
  [`${root}.projects.list`]: list('project'),
  [`${root}.projects.create`]: { example: { name: 'apple' }, body: { external_key_id: 'nobody' } },
  [`${root}.projects.retrieve`]: { path: project },
  [`${root}.projects.update`]: { path: project, example: { name: 'apple' }, body: { external_key_id: 'nobody' } },
  [`${root}.projects.archive`]: { path: project },
  [`${root}.projects.users.list`]: list('user', { path: project }),
  [`${root}.projects.users.create`]: {
    path: project,
    body: { user_id: 'other', email: 'otherEmail' },
    example: { role: 'member' },
    instead: { email: 'user_id', user_id: 'email' },
    needs: ['user_id'],
  },
  [`${root}.projects.users.retrieve`]: end,
  [`${root}.projects.users.update`]: { ...end, example: { role: 'member' } },
  [`${root}.projects.users.delete`]: end,
  [`${root}.projects.service_accounts.list`]: list('serviceAccount', { path: project }),
  [`${root}.projects.service_accounts.create`]: { path: project, example: { name: 'apple' } },
  [`${root}.projects.service_accounts.retrieve`]: account,
  [`${root}.projects.service_accounts.update`]: { ...account, example: { name: 'apple' } },
  [`${root}.projects.service_accounts.delete`]: account,
  [`${root}.projects.service_accounts.api_keys.create`]: { ...account, example: { name: 'apple' } },
  [`${root}.projects.api_keys.list`]: list('key', { path: project }),
  [`${root}.projects.api_keys.create`]: { path: project, example: { name: 'apple' } },
  [`${root}.projects.api_keys.retrieve`]: key,
  [`${root}.projects.api_keys.rotate`]: { ...key, example: { grace_seconds: 1 } },
  [`${root}.projects.api_keys.delete`]: key,
  [`${root}.audit_logs.list`]: list('event', {
    query: {
      before: 'event',
      project_ids: 'project',
      actor_ids: 'user',
      actor_emails: 'email',
      resource_ids: 'subject',
    },
  }),

  [`${root}.usage`]: full,
  [`${root}.usage.completions`]: full,
  [`${root}.usage.embeddings`]: full,
  [`${root}.usage.moderations`]: full,
  [`${root}.usage.images`]: full,
  [`${root}.usage.audio_speeches`]: full,
  [`${root}.usage.audio_transcriptions`]: full,
  [`${root}.usage.vector_stores`]: report(),
  [`${root}.usage.code_interpreter_sessions`]: report(),
  [`${root}.costs`]: report('api_key_ids'),
  [`${root}.spend_limit.retrieve`]: nothing,
  [`${root}.spend_limit.update`]: { example: spend },
  [`${root}.spend_limit.delete`]: nothing,
  [`${root}.projects.spend_limit.retrieve`]: { path: project },
  [`${root}.projects.spend_limit.update`]: { path: project, example: spend },
  [`${root}.projects.spend_limit.delete`]: { path: project },
  [`${root}.projects.rate_limits.list`]: {
    path: project,
    query: { after: 'rateLimit', before: 'rateLimit' },
  },
  [`${root}.projects.rate_limits.update`]: {
    path: { ...project, rate_limit_id: 'rateLimit' },
    example: { max_requests_per_1_minute: 900_000 },
  },
  [`${root}.limits.list`]: subjects.map(([subject, kind]) => ({
    query: { after: 'limitedKey', subject_id: kind },
    asks: { subject },
  })),
  [`${root}.limits.update`]: subjects.map(([subject, kind]) => ({
    body: { subject_id: kind },
    example: { subject, hard_limit_usd: 900 },
    needs: ['subject_id'],
    ...(subject === 'end_user' && { answers: { subject_id: 200 } }), // whoever requests name is one
  })),
  [`${root}.limits.delete`]: subjects.map(([subject, kind]) => ({
    query: { subject_id: kind },
    asks: { subject },
    answers: { subject_id: 404 },
  })),
  [`${root}.limits.preset`]: {
    body: { subject_id: 'project' },
    example: { subject: 'project', preset: 'tier-1' },
    needs: ['subject_id'],
  },
  [`${root}.credit.retrieve`]: { query: { organization_id: 'organization' }, answers: { organization_id: 404 } },
  [`${root}.credit.update`]: {
    body: { organization_id: 'organization' },
    example: { enabled: false },
    answers: { organization_id: 403 },
  },
  [`${root}.credit.grants.list`]: {
    query: { organization_id: 'organization', after: 'grant', before: 'grant' },
    answers: { organization_id: 404 },
  },
  [`${root}.credit.grants.create`]: {
    body: { organization_id: 'organization' },
    example: { amount_usd: 1 },
    answers: { organization_id: 403 },
  },
  [`${root}.credit.codes.create`]: { example: { amount_usd: 1 } },
  [`${root}.credit.codes.list`]: { query: { after: 'code', before: 'code' }, answers: { after: 403, before: 403 } },
  [`${root}.credit.codes.delete`]: { path: { code_id: 'code' }, answers: { code_id: 403 } },
  [`${root}.credit.redeem`]: { body: { code: 'codeSecret' }, example: { code: '' }, answers: { code: 400 } },
  [`${root}.prices.list`]: { query: { model: 'nobody' } },
  [`${root}.prices.update`]: { example: { model: 'words', price: { input: 1, output: 2 } } },
  [`${root}.prices.delete`]: { query: { model: 'nobody' }, asks: { model: 'words' } },

  'billing.subscription': nothing,
  'billing.usage': nothing,
  'billing.credit_grants': nothing,
  'billing.day_usage': { asks: { date: '2023-11-14' }, query: { user_public_id: 'user' } },

  'operator.keys.list': list('key'),
  'operator.keys.create': {
    body: { project_id: 'project', email: 'email', service_account: 'serviceAccount' },
    example: { name: 'apple' },
  },
  'operator.keys.rotate': { path: { key_id: 'key' }, example: { grace_seconds: 1 } },
  'operator.keys.delete': { path: { key_id: 'key' } },
  'operator.organizations.list': nothing,
  'operator.organizations.create': {
    body: { 'owner.email': 'email' },
    example: { name: 'pear', owner: { email: 'owner@apple.example' } },
  },
  'operator.members.password': { path: { user_id: 'user' } },
  'operator.members.create': { body: { email: 'email' }, example: { email: 'new@apple.example', role: 'reader' } },
  'operator.upstreams.list': list('nobody'),
  'operator.upstreams.create': { body: ofUpstream, example: { name: 'apple', base_url: 'http://127.0.0.1:9/v1' } },
  'operator.upstreams.retrieve': upstream,
  'operator.upstreams.update': { ...upstream, body: ofUpstream, example: { expose: 'none' } },
  'operator.upstreams.delete': upstream,
  'operator.upstreams.test': { ...upstream, example: {} },
  'operator.upstreams.models': upstream,
  'operator.routes.list': list('nobody'),
  'operator.routes.create': { example: { model: 'apple', upstream: 'apple' } },
  'operator.routes.retrieve': model,
  'operator.routes.update': { ...model, example: { upstream: 'apple' } },
  'operator.routes.delete': model,
}

/** The ways in which an operation can be asked. @throws Error for one without a line */
export function entriesOf({ id }: { id: string }): readonly Entry[] {
  const found = parameters[id]
  if (found === undefined) throw new Error(`There is no line for ${id} in test/tenants/parameters.ts.`)
  return isList(found) ? found : [found]
}

const isList = (found: Entry | readonly Entry[]): found is readonly Entry[] => Array.isArray(found)
