import { fault } from '../../lib/faults.ts'
import type { OrganizationsTable } from '../../store/schema/accounts.ts'
import { ConstraintFailed, type Statement } from '../../store/store.ts'
import { audited } from '../audit.ts'
import { type Acting, checkId, emailOf, missing, plainText } from './acting.ts'

/** An organisation that was just made, with what it begins with. */
export interface MadeOrganization {
  organization: OrganizationsTable
  projectId: string
  /** Of its first owner: a new account, or the one that has the address. */
  userId: string
}

/** All organisations of this machine, the oldest first; for its operator alone. */
export const listOrganizations = ({ store }: Pick<Acting, 'store'>): Promise<OrganizationsTable[]> =>
  store.read.selectFrom('organizations').selectAll().orderBy('created_at').orderBy('id').execute()

/** @throws Fault 404 */
export async function findOrganization({ store }: Pick<Acting, 'store'>, id: string): Promise<OrganizationsTable> {
  checkId('organization', id)
  const found = await store.read.selectFrom('organizations').selectAll().where('id', '=', id).executeTakeFirst()
  if (found === undefined) throw missing('organization', id)
  return found
}

/**
 * A new organisation with a default project and a first owner; for the operator of the machine alone.
 * @param asked `name`: the slug of the `OpenAI-Organization` header; `title`: for people, the slug if absent
 * @param beside what is written in the same breath, such as a first grant of credit
 * @throws Fault 400 for a slug that is none or taken, an address or name that is none
 */
export async function createOrganization(
  acting: Acting,
  asked: { name: string; title?: string; owner: { email: string; name?: string } },
  beside: (made: MadeOrganization) => readonly Statement[] = () => [],
): Promise<MadeOrganization> {
  const { store, caller, clock, ids, keys } = acting
  const email = emailOf('email', asked.owner.email)
  const account = await store.read.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst()
  const created_at = clock.now()
  const name = slugOf(asked.name)
  const title = plainText('title', asked.title ?? name)
  const organization: OrganizationsTable = { id: ids.make('org'), name, title, credit: 0, created_at }
  const projectId = ids.make('project')
  const userId = account?.id ?? ids.make('user')
  const made = { organization, projectId, userId }
  const project = { id: projectId, organization_id: organization.id, name: 'Default project', created_at }
  const user = { id: userId, email, name: plainText('name', asked.owner.name ?? email), created_at }
  const member = { organization_id: organization.id, user_id: userId, role: 'owner' as const, created_at }
  const audit = { ...acting, caller: { ...caller, organizationId: organization.id } }
  await store
    .write([
      store.build.insertInto('organizations').values(organization),
      store.build.insertInto('projects').values({ ...project, archived_at: null }),
      ...(account === undefined
        ? [store.build.insertInto('users').values({ ...user, password: null, identity: null, disabled_at: null })]
        : []),
      store.build.insertInto('members').values(member),
      audited(
        { type: 'project.created', subjectId: projectId, projectId, details: { data: { name: project.name } } },
        audit,
      ),
      audited({ type: 'user.added', subjectId: userId, details: { data: { role: 'owner' } } }, audit),
      ...beside(made),
    ])
    .catch(async (error: unknown) => {
      const taken = store.read.selectFrom('organizations').select('id').where('name', '=', name)
      const isTaken = error instanceof ConstraintFailed && (await taken.executeTakeFirst()) !== undefined
      throw isTaken ? fault.nameTaken('name', name) : error
    })
  keys.changed()
  return made
}

/** @throws Fault 400; a slug must not look like an id, because the header takes either */
function slugOf(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name) || name.startsWith('org-'))
    throw fault.invalidValue(
      'name',
      "Invalid 'name': expected up to 63 lower-case letters, digits and hyphens, not beginning with a hyphen or 'org-'.",
    )
  return name
}
