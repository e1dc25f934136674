/** Invitations into an organisation: `/v1/organization/invites`. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { deletedOf, Email, ObjectId, OrganizationRole, ProjectRole } from './common.ts'

export const Invite = Type.Object({
  object: Type.Literal('organization.invite'),
  id: Type.String(),
  email: Type.String(),
  role: OrganizationRole,
  status: oneOf(['accepted', 'expired', 'pending']),
  created_at: unixTime('When it was made.'),
  invited_at: unixTime('The same, as clients of 2024 call it.'),
  expires_at: unixTime('Until when it can be accepted.'),
  accepted_at: nullable(unixTime('When it was accepted.')),
  projects: Type.Array(Type.Object({ id: Type.String(), role: ProjectRole })),
})
export type Invite = Static<typeof Invite>
export const InviteList = listOf(Invite)

/** Ours has a secret more: no mail is sent, so whoever invites passes it on. */
export const InviteCreated = Type.Object({
  ...Invite.properties,
  accept_token: Type.String({
    description:
      'The secret with which the invite is accepted. It is shown this once: only its hash is kept. An extension.',
  }),
})
export type InviteCreated = Static<typeof InviteCreated>

export const InviteRequest = Type.Object({
  email: Email,
  role: OrganizationRole,
  projects: Type.Optional(
    Type.Array(Type.Object({ id: ObjectId, role: ProjectRole }), {
      maxItems: 100,
      description: 'When left out, the default project; an empty list for none.',
    }),
  ),
})
export type InviteRequest = Static<typeof InviteRequest>

export const InviteDeleted = deletedOf('organization.invite.deleted')
export type InviteDeleted = Static<typeof InviteDeleted>
