import { operation } from '../../../platform/operation.ts'
import {
  createInvite,
  findInvite,
  type InviteRow,
  listInvites,
  removeInvite,
} from '../../../platform/people/invites.ts'
import { list } from '../../../wire/lists.ts'
import { PageQuery, unixSeconds, unixSecondsOrNull } from '../../../wire/organization/common.ts'
import { Invite, InviteCreated, InviteDeleted, InviteList, InviteRequest } from '../../../wire/organization/invites.ts'

export const listOrganizationInvites = operation<unknown, never, PageQuery>({
  id: 'organization.invites.list',
  method: 'GET',
  path: '/v1/organization/invites',
  summary: 'Lists the invites into the organization: pending, accepted and expired ones.',
  query: PageQuery,
  reply: InviteList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, { store, caller, clock }) {
    const { rows, hasMore } = await listInvites(store, caller.organizationId, query)
    const data = rows.map(row => shown(row, clock.now()))
    return { kind: 'json', value: list(data, hasMore) }
  },
})

export const createOrganizationInvite = operation<InviteRequest>({
  id: 'organization.invites.create',
  method: 'POST',
  path: '/v1/organization/invites',
  summary: 'Invites an address into the organization for seven days. No mail is sent: pass `accept_token` on.',
  body: InviteRequest,
  strict: true,
  reply: InviteCreated,
  showsSecret: true,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { invite, secret } = await createInvite(context, body)
    const value = { ...shown(invite, context.clock.now()), accept_token: secret } satisfies InviteCreated
    return { kind: 'json', value }
  },
})

export const retrieveOrganizationInvite = operation<unknown, 'invite_id'>({
  id: 'organization.invites.retrieve',
  method: 'GET',
  path: '/v1/organization/invites/{invite_id}',
  summary: 'Shows an invite, without its secret.',
  reply: Invite,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ params }, { store, caller, clock }) {
    const invite = await findInvite(store, caller.organizationId, params.invite_id)
    return { kind: 'json', value: shown(invite, clock.now()) }
  },
})

export const deleteOrganizationInvite = operation<unknown, 'invite_id'>({
  id: 'organization.invites.delete',
  method: 'DELETE',
  path: '/v1/organization/invites/{invite_id}',
  summary: 'Withdraws an invite that was not accepted.',
  reply: InviteDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ params: { invite_id: id } }, context) {
    await removeInvite(context, id)
    return { kind: 'json', value: { object: 'organization.invite.deleted', id, deleted: true } satisfies InviteDeleted }
  },
})

function shown(invite: InviteRow, nowMs: number): Invite {
  const { id, email, role, projects, created_at, expires_at, accepted_at } = invite
  const isOver = expires_at <= nowMs
  return {
    object: 'organization.invite',
    id,
    email,
    role,
    status: accepted_at !== null ? 'accepted' : isOver ? 'expired' : 'pending',
    created_at: unixSeconds(created_at),
    invited_at: unixSeconds(created_at),
    expires_at: unixSeconds(expires_at),
    accepted_at: unixSecondsOrNull(accepted_at),
    projects: [...projects],
  }
}
