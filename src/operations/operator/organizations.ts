import { startingGrant } from '../../platform/credit/starting.ts'
import { operation } from '../../platform/operation.ts'
import { addMember } from '../../platform/people/operator-keys.ts'
import { createOrganization, findOrganization, listOrganizations } from '../../platform/people/organizations.ts'
import type { OrganizationsTable } from '../../store/schema/accounts.ts'
import { list } from '../../wire/lists.ts'
import { MemberRequest, Organization, OrganizationList, OrganizationRequest } from '../../wire/operator.ts'
import { unixSeconds } from '../../wire/organization/common.ts'
import { User } from '../../wire/organization/users.ts'

export const listEveryOrganization = operation({
  id: 'operator.organizations.list',
  method: 'GET',
  path: '/v1/parlance/organizations',
  summary: 'Lists all organizations of this server, the oldest first. For commands on this machine.',
  reply: OrganizationList,
  scope: 'operator',
  bills: 'nothing',
  async run(_input, context) {
    return { kind: 'json', value: list((await listOrganizations(context)).map(toOrganization), false) }
  },
})

export const createNewOrganization = operation<OrganizationRequest>({
  id: 'operator.organizations.create',
  method: 'POST',
  path: '/v1/parlance/organizations',
  summary: 'Makes an organization with a default project and a first owner. For commands on this machine.',
  body: OrganizationRequest,
  strict: true,
  reply: Organization,
  scope: 'operator',
  bills: 'nothing',
  async run({ body }, context) {
    const { organization } = await createOrganization(context, body, made =>
      startingGrant(context.startingCredit, made.organization.id, context),
    )
    await context.ledger.changed()
    return { kind: 'json', value: toOrganization(await findOrganization(context, organization.id)) }
  },
})

export const addOrganizationMember = operation<MemberRequest>({
  id: 'operator.members.create',
  method: 'POST',
  path: '/v1/parlance/members',
  summary: 'Takes somebody into the organization without an invite. For commands on this machine.',
  body: MemberRequest,
  strict: true,
  reply: User,
  scope: 'operator',
  bills: 'nothing',
  async run({ body }, context) {
    const { created_at, ...user } = await addMember(context, body)
    return { kind: 'json', value: { object: 'organization.user', ...user, added_at: unixSeconds(created_at) } }
  },
})

const toOrganization = ({ id, name, title, credit, created_at }: OrganizationsTable): Organization => ({
  object: 'parlance.organization',
  id,
  name,
  title,
  credit: credit === 1,
  created_at: unixSeconds(created_at),
})
