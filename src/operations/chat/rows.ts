import { createHash } from 'node:crypto'
import { fault } from '../../lib/faults.ts'
import { readPage } from '../../platform/page.ts'
import { StaleWrite, type Store } from '../../store/store.ts'
import type { StoredCompletion, StoredCompletionQuery } from '../../wire/stored.ts'

/** Whose completions: a project's, and no others are ever looked at. */
export interface Owner {
  readonly organizationId: string
  readonly projectId: string
}

/** A completion on its way into the store. */
export interface Kept {
  id: string
  /** What it can be found by: the model that was asked for, and the one that answered. */
  models: readonly string[]
  metadata: Readonly<Record<string, string>>
  /** JSON of the completion without `metadata`. */
  body: string
  /** JSON of the messages it answers. */
  messages: string
}

type WithoutMetadata = Omit<StoredCompletion, 'metadata'>

/** Characters of the completions of one page together: beyond, the page ends early and says that there is more. */
const pageLengthMax = 4_194_304

/** Resolves when the completion is on the disk. @throws Fault 507, 503, 500 for the state of the store */
export async function keepCompletion(store: Store, owner: Owner, kept: Kept, nowMs: number): Promise<void> {
  const { id, models, metadata, body, messages } = kept
  const place = { id, project_id: owner.projectId, created_at: nowMs }
  const row = {
    ...place,
    organization_id: owner.organizationId,
    metadata: JSON.stringify(metadata),
    body,
    messages,
  }
  const names = new Set(models.map(modelLabel))
  const labels = [...[...names].map(label => ({ ...place, label, kind: 'model' as const })), ...pairs(place, metadata)]
  await store.write([
    store.build.insertInto('chat_completions').values(row),
    store.build.insertInto('chat_completion_labels').values(labels),
  ])
}

/** @throws Fault 404, the same for one of another project and one that is not */
export async function findCompletion(store: Store, owner: Owner, id: string): Promise<StoredCompletion> {
  const row = await rowOf(store, owner, id).select(['metadata', 'body']).executeTakeFirst()
  if (row === undefined) throw missing(id)
  return completionOf(row)
}

/** The messages of the request as they were sent, in JSON. @throws Fault 404 */
export async function findMessages(store: Store, owner: Owner, id: string): Promise<string> {
  const row = await rowOf(store, owner, id).select('messages').executeTakeFirst()
  if (row === undefined) throw missing(id)
  return row.messages
}

/** In the order in which they were stored. @throws Fault 400 for a cursor that is not in the list */
export async function listCompletions(
  store: Store,
  owner: Owner,
  asked: StoredCompletionQuery,
): Promise<{ data: StoredCompletion[]; hasMore: boolean }> {
  const { rows, hasMore } = await page(store, owner, asked)
  const data: StoredCompletion[] = []
  let length = 0
  // One after another: told all ids at once, SQLite walks through the whole project.
  for (const { id } of rows) {
    const row = await rowOf(store, owner, id).select(['metadata', 'body']).executeTakeFirst()
    if (row === undefined) continue // deleted since the page was read
    length += row.body.length
    if (length > pageLengthMax && data.length > 0) return { data, hasMore: true }
    data.push(completionOf(row))
  }
  return { data, hasMore }
}

/** Replaces the metadata; the completion as it is then. @throws Fault 404 */
export async function relabelCompletion(
  store: Store,
  owner: Owner,
  id: string,
  metadata: Readonly<Record<string, string>>,
): Promise<StoredCompletion> {
  const row = await rowOf(store, owner, id).select(['created_at', 'body']).executeTakeFirst()
  if (row === undefined) throw missing(id)
  const changed = { metadata: JSON.stringify(metadata) }
  const labels = pairs({ id, project_id: owner.projectId, created_at: row.created_at }, metadata)
  await store
    .write([
      {
        statement: store.build
          .updateTable('chat_completions')
          .set(changed)
          .where('id', '=', id)
          .where('project_id', '=', owner.projectId),
        expectChanges: 1,
      },
      store.build
        .deleteFrom('chat_completion_labels')
        .where('id', '=', id)
        .where('project_id', '=', owner.projectId)
        .where('kind', '=', 'metadata'),
      ...(labels.length === 0 ? [] : [store.build.insertInto('chat_completion_labels').values(labels)]),
    ])
    .catch(gone(id))
  return completionOf({ ...row, ...changed })
}

/** @throws Fault 404 */
export async function removeCompletion(store: Store, owner: Owner, id: string): Promise<void> {
  checkForm(id)
  const statement = store.build
    .deleteFrom('chat_completions')
    .where('id', '=', id)
    .where('project_id', '=', owner.projectId)
  await store.write(statement, { expectChanges: 1 }).catch(gone(id))
}

function rowOf(store: Store, { projectId }: Owner, id: string) {
  checkForm(id)
  return store.read.selectFrom('chat_completions').where('id', '=', id).where('project_id', '=', projectId)
}

/** Anything else is not asked for: not every database takes every text. */
function checkForm(id: string): void {
  if (!/^[\w-]{1,100}$/.test(id)) throw missing(id)
}

/** The ids of a page. With filters it is one of the first label, whose completions have the others too: metadata are rarer than models. */
function page(store: Store, { projectId }: Owner, { model, metadata, ...asked }: StoredCompletionQuery) {
  const usual = { table: 'page', order: 'asc', limit: 20 } as const
  const [first, ...others] = [
    ...Object.entries(metadata ?? {}).map(pair => pairLabel(pair)),
    ...(model === undefined ? [] : [modelLabel(model)]),
  ]
  if (first === undefined) {
    const all = store.read.selectFrom('chat_completions as page').where('page.project_id', '=', projectId)
    return readPage(all.select('page.id'), asked, usual)
  }
  let labelled = store.read
    .selectFrom('chat_completion_labels as page')
    .where('page.project_id', '=', projectId)
    .where('page.label', '=', first)
  for (const label of others)
    labelled = labelled.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('chat_completion_labels as other')
          .select('other.id')
          .whereRef('other.id', '=', 'page.id')
          .where('other.project_id', '=', projectId)
          .where('other.label', '=', label),
      ),
    )
  return readPage(labelled.select('page.id'), asked, usual)
}

function completionOf({ metadata, body }: { metadata: string; body: string }): StoredCompletion {
  const completion: WithoutMetadata = JSON.parse(body)
  return { ...completion, metadata: JSON.parse(metadata) }
}

const pairs = (
  place: { id: string; project_id: string; created_at: number },
  metadata: Readonly<Record<string, string>>,
) => Object.entries(metadata).map(pair => ({ ...place, label: pairLabel(pair), kind: 'metadata' as const }))

const modelLabel = (name: string) => hashOf(['model', name])
const pairLabel = ([key, value]: readonly [string, string]) => hashOf(['metadata', key, value])
const hashOf = (parts: readonly string[]) => createHash('sha256').update(JSON.stringify(parts)).digest('base64url')

const missing = (id: string) => fault.objectNotFound('chat completion', id.slice(0, 100))

const gone = (id: string) => (error: unknown) => {
  throw error instanceof StaleWrite ? missing(id) : error
}
