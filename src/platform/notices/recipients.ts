import type { Store } from '../../store/store.ts'
import { firstOwnerEmail } from '../home.ts'
import type { Notice } from '../ledger/types.ts'

/** A mail has at most so many recipients. */
const recipientsMax = 100

/** Addresses of those who can do something about it: the owners of the organisation, and of the project where it is about one. */
export async function recipientsOf(store: Store, { organizationId, subject, subjectId }: Notice): Promise<string[]> {
  const owners = await store.read
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.email')
    .where('members.organization_id', '=', organizationId)
    .where('members.role', '=', 'owner')
    .where('users.disabled_at', 'is', null)
    .orderBy('members.created_at')
    .limit(recipientsMax)
    .execute()
  const projectOwners =
    subject !== 'project'
      ? []
      : await store.read
          .selectFrom('project_members')
          .innerJoin('users', 'users.id', 'project_members.user_id')
          .select('users.email')
          .where('project_members.organization_id', '=', organizationId)
          .where('project_members.project_id', '=', subjectId)
          .where('project_members.role', '=', 'owner')
          .where('users.disabled_at', 'is', null)
          .limit(recipientsMax)
          .execute()
  const addresses = new Set([...owners, ...projectOwners].map(row => row.email))
  addresses.delete(firstOwnerEmail)
  return [...addresses].slice(0, recipientsMax)
}

/** The organisation by its name, and whose limit it is in words. */
export async function subjectNameOf(
  store: Store,
  { organizationId, subject, subjectId }: Notice,
): Promise<{ organization: string; subject: string }> {
  const organization = await store.read
    .selectFrom('organizations')
    .select(['name', 'title'])
    .where('id', '=', organizationId)
    .executeTakeFirst()
  const name = organization === undefined ? organizationId : organization.title || organization.name
  if (subject === 'organization' || subject === 'credit')
    return { organization: name, subject: `the organization ${name}` }
  if (subject === 'end_user') return { organization: name, subject: `the end user ${subjectId}` }
  const row =
    subject === 'project'
      ? await store.read
          .selectFrom('projects')
          .select('name')
          .where('organization_id', '=', organizationId)
          .where('id', '=', subjectId)
          .executeTakeFirst()
      : await store.read
          .selectFrom('api_keys')
          .select('name')
          .where('organization_id', '=', organizationId)
          .where('id', '=', subjectId)
          .executeTakeFirst()
  return { organization: name, subject: `the ${subject} ${row?.name ?? ''} (${subjectId})`.replace('  ', ' ') }
}
