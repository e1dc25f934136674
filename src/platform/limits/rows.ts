import { sql } from 'kysely'
import type { RateLimitsTable } from '../../store/schema/money.ts'
import type { Store } from '../../store/store.ts'
import { type Kind, kinds, limitColumns } from './kinds.ts'

/** One limit that is set. */
export interface Limit {
  readonly kind: Kind
  readonly most: number
}

/** The limits of one organisation, project or key. */
export interface Subject {
  readonly kind: RateLimitsTable['subject']
  readonly id: string
  readonly organizationId: string
  readonly models: ReadonlyMap<string, readonly Limit[]>
}

export type Subjects = Readonly<Record<RateLimitsTable['subject'], ReadonlyMap<string, Subject>>>

const anyModel = '*'

/** What a subject's requests to a model are held to; a row of the model's own takes the place of the general one. */
export const limitsOf = ({ models }: Subject, model: string): readonly Limit[] =>
  models.get(model) ?? models.get(anyModel) ?? none

const none: readonly Limit[] = []

/** Another one after each change. */
export async function markOf(store: Store): Promise<string> {
  const row = await store.read
    .selectFrom('rate_limits')
    .select([sql<number | null>`max(updated_at)`.as('newest'), sql<number>`count(*)`.as('count')])
    .executeTakeFirst()
  return `${row?.count} ${row?.newest}`
}

export async function readSubjects(store: Store): Promise<Subjects> {
  const rows = await store.read.selectFrom('rate_limits').selectAll().orderBy('organization_id').execute()
  const subjects = {
    organization: new Map<string, Subject & { models: Map<string, readonly Limit[]> }>(),
    project: new Map<string, Subject & { models: Map<string, readonly Limit[]> }>(),
    key: new Map<string, Subject & { models: Map<string, readonly Limit[]> }>(),
  }
  for (const row of rows) {
    const { subject: kind, subject_id: id, organization_id: organizationId, model } = row
    const subject = subjects[kind].get(id) ?? { kind, id, organizationId, models: new Map() }
    subjects[kind].set(id, subject)
    subject.models.set(model, stricter(subject.models.get(model), limitsIn(row)))
  }
  return subjects
}

function limitsIn(row: RateLimitsTable): Limit[] {
  return limitColumns.flatMap(column => {
    const most = row[column]
    return most === null ? [] : [{ kind: kinds[column], most }]
  })
}

/** A key that works in several organisations is held to what each of them sets for it. */
function stricter(known: readonly Limit[] | undefined, more: readonly Limit[]): readonly Limit[] {
  if (known === undefined) return more
  const all = [...known, ...more]
  return [...new Set(all.map(({ kind }) => kind))].map(kind => ({
    kind,
    most: Math.min(...all.filter(limit => limit.kind === kind).map(({ most }) => most)),
  }))
}
