import { type Kysely, sql } from 'kysely'

/**
 * People, roles, service accounts, invitations, kinds of keys, limits, prices, credit, the audit log, and the ledger in place of the
 * plain list of usage. Keys that existed were an owner's and stay so: the next start gives them to the first owner.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await addColumns(db, 'organizations', { title: "text not null default ''", credit: 'bigint not null default 0' })
  await addColumns(db, 'projects', { archived_at: 'bigint' })
  await db.schema.createIndex('organizations_name').unique().on('organizations').column('name').execute()
  await createPeople(db)
  await remakeKeys(db)
  await createRecords(db)
  await extendUsage(db)
  await createLimits(db)
  await createCredit(db)
}

/** A column's type as both dialects write it. */
type Type = `${'text' | 'bigint'}${'' | ' not null'}${'' | ` default ${string}` | ` references ${string} (id)`}`
type Columns = Readonly<Record<string, Type>>

async function addColumns(db: Kysely<unknown>, table: string, columns: Columns): Promise<void> {
  for (const [name, type] of Object.entries(columns))
    await sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${sql.raw(type)}`.execute(db)
}

async function createTable(db: Kysely<unknown>, name: string, columns: Columns, key: readonly string[]): Promise<void> {
  const lines = Object.entries(columns).map(([column, type]) => sql`${sql.ref(column)} ${sql.raw(type)}`)
  const keys = sql.join(key.map(column => sql.ref(column)))
  await sql`create table ${sql.table(name)} (${sql.join(lines)}, primary key (${keys}))`.execute(db)
}

async function createIndex(db: Kysely<unknown>, table: string, columns: string[], unique = false): Promise<void> {
  const index = db.schema
    .createIndex(`${table}_${columns.join('_')}`)
    .on(table)
    .columns(columns)
  await (unique ? index.unique() : index).execute()
}

const text = 'text not null'
const integer = 'bigint not null'
const organization = 'text not null references organizations (id)'
const project = 'text not null references projects (id)'
const user = 'text not null references users (id)'

async function createPeople(db: Kysely<unknown>): Promise<void> {
  await createTable(
    db,
    'users',
    {
      id: text,
      email: text,
      name: text,
      password: 'text',
      identity: 'text',
      created_at: integer,
      disabled_at: 'bigint',
    },
    ['id'],
  )
  await createIndex(db, 'users', ['email'], true)
  await createIndex(db, 'users', ['identity'], true)
  await createTable(db, 'members', { organization_id: organization, user_id: user, role: text, created_at: integer }, [
    'organization_id',
    'user_id',
  ])
  await createIndex(db, 'members', ['user_id'])
  await createTable(
    db,
    'project_members',
    { project_id: project, organization_id: organization, user_id: user, role: text, created_at: integer },
    ['project_id', 'user_id'],
  )
  await createIndex(db, 'project_members', ['user_id'])
  await createTable(
    db,
    'service_accounts',
    { id: text, organization_id: organization, project_id: project, name: text, role: text, created_at: integer },
    ['id'],
  )
  await createIndex(db, 'service_accounts', ['project_id'])
  await createTable(
    db,
    'invites',
    {
      ...{ id: text, organization_id: organization, email: text, role: text, projects: text, hash: text },
      ...{ created_at: integer, expires_at: integer, accepted_at: 'bigint', user_id: 'text' },
    },
    ['id'],
  )
  await createIndex(db, 'invites', ['hash'], true)
  await createIndex(db, 'invites', ['organization_id'])
}

/** Made anew, because a column may now be null, which SQLite cannot change. */
async function remakeKeys(db: Kysely<unknown>): Promise<void> {
  const kept = [
    'id',
    'organization_id',
    'project_id',
    'name',
    'hash',
    'hint',
    'created_at',
    'revoked_at',
    'last_used_at',
  ]
  await db.schema.alterTable('api_keys').renameTo('api_keys_1').execute()
  await createTable(
    db,
    'api_keys',
    {
      ...{
        id: text,
        organization_id: organization,
        project_id: 'text references projects (id)',
        kind: "text not null default 'user'",
      },
      ...{
        user_id: 'text references users (id)',
        service_account_id: 'text references service_accounts (id)',
        name: text,
        hash: text,
        hint: text,
      },
      ...{ scopes: "text not null default 'all'", models: 'text', created_at: integer },
      ...{ expires_at: 'bigint', revoked_at: 'bigint', last_used_at: 'bigint' },
    },
    ['id'],
  )
  const columns = sql.join(kept.map(column => sql.ref(column)))
  await sql`insert into api_keys (${columns}) select ${columns} from api_keys_1`.execute(db)
  await db.schema.dropTable('api_keys_1').execute()
  await createIndex(db, 'api_keys', ['hash'], true)
  await createIndex(db, 'api_keys', ['organization_id'])
  await createIndex(db, 'api_keys', ['project_id'])
  await createIndex(db, 'api_keys', ['user_id'])
}

async function createRecords(db: Kysely<unknown>): Promise<void> {
  await createTable(
    db,
    'sessions',
    {
      ...{ hash: text, user_id: user, organization_id: organization, created_at: integer, expires_at: integer },
      ...{ ip: 'text', user_agent: 'text' },
    },
    ['hash'],
  )
  await createIndex(db, 'sessions', ['user_id'])
  await createTable(
    db,
    'audit_log',
    {
      ...{ id: text, organization_id: text, project_id: 'text', type: text, actor_kind: text, actor_id: 'text' },
      ...{ actor_email: 'text', key_id: 'text', ip: 'text', user_agent: 'text', request_id: 'text' },
      ...{ subject_id: text, details: text, created_at: integer },
    },
    ['id'],
  )
  await createIndex(db, 'audit_log', ['organization_id', 'created_at'])
  await createTable(
    db,
    'idempotency',
    {
      ...{ project_id: text, key_id: text, name: text, operation: text, request_hash: text },
      ...{ status: 'bigint', headers: 'text', body: 'text', created_at: integer },
    },
    ['project_id', 'key_id', 'name'],
  )
  await createIndex(db, 'idempotency', ['created_at'])
}

async function extendUsage(db: Kysely<unknown>): Promise<void> {
  await addColumns(db, 'usage', {
    user_id: 'text',
    quantity: 'bigint not null default 0',
    unit: 'text',
    variant: 'text',
    batch: 'bigint not null default 0',
    reserved_nano: 'bigint not null default 0',
  })
  // The month of one end user is summed when they first ask for something.
  await sql`create index usage_end_user on usage (organization_id, end_user, created_at) where end_user is not null`.execute(
    db,
  )
  // What is open is looked for at every start, and there is hardly ever any.
  await sql`create index usage_open on usage (id) where status = 'open'`.execute(db)
}

async function createLimits(db: Kysely<unknown>): Promise<void> {
  const subject = { organization_id: organization, subject: text, subject_id: text } as const
  await createTable(
    db,
    'spend_limits',
    { ...subject, hard_nano: 'bigint', soft_nano: 'bigint', updated_at: integer },
    Object.keys(subject),
  )
  await createTable(
    db,
    'rate_limits',
    {
      ...subject,
      model: text,
      ...{ requests_per_minute: 'bigint', tokens_per_minute: 'bigint' },
      ...{ requests_per_day: 'bigint', tokens_per_day: 'bigint' },
      ...{ images_per_minute: 'bigint', concurrent_requests: 'bigint', updated_at: integer },
    },
    [...Object.keys(subject), 'model'],
  )
}

async function createCredit(db: Kysely<unknown>): Promise<void> {
  await createTable(db, 'prices', { model: text, from_at: integer, price: text, created_at: integer }, [
    'model',
    'from_at',
  ])
  await createTable(
    db,
    'credit_grants',
    {
      ...{ id: text, organization_id: organization, kind: text, amount_nano: integer, used_nano: integer, note: text },
      ...{ created_at: integer, expires_at: 'bigint' },
    },
    ['id'],
  )
  await createIndex(db, 'credit_grants', ['organization_id'])
  await createTable(
    db,
    'credit_codes',
    {
      ...{ id: text, hash: text, hint: text, amount_nano: integer, valid_days: 'bigint', created_at: integer },
      ...{ expires_at: 'bigint', redeemed_at: 'bigint', organization_id: 'text' },
    },
    ['id'],
  )
  await createIndex(db, 'credit_codes', ['hash'], true)
  await createTable(
    db,
    'notices',
    {
      ...{ organization_id: text, subject: text, subject_id: text, month: text },
      ...{ threshold_nano: integer, created_at: integer },
    },
    ['organization_id', 'subject', 'subject_id', 'month', 'threshold_nano'],
  )
}
