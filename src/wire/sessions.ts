/** Signing in, one's own account and one's sign-ins: `/v1/parlance/sessions` and what belongs to it. Ours, not OpenAI's. */
import Type, { type Static } from 'typebox'
import { oneOf, unixTime } from './common.ts'
import { listOf } from './lists.ts'
import { deletedOf, Email, Name, OrganizationRole, ProjectRole } from './organization/common.ts'

/** As it is typed in; what a new one must be is said in `platform/passwords.ts`. */
const Password = Type.String({ minLength: 1, maxLength: 1024, description: 'At most 256 bytes.' })
const NewPassword = Type.String({
  minLength: 1,
  maxLength: 1024,
  description: 'At least 10 characters, at most 256 bytes, and not the e-mail address.',
})
const Token = Type.String({ minLength: 1, maxLength: 256 })

export const SessionRequest = Type.Object({ email: Email, password: Password })
export type SessionRequest = Static<typeof SessionRequest>

export const SetupRequest = Type.Object({ token: Token, email: Email, name: Name, password: NewPassword })
export type SetupRequest = Static<typeof SetupRequest>

export const InviteAcceptance = Type.Object({
  token: Token,
  name: Type.Optional(Name),
  password: Type.Optional(NewPassword),
})
export type InviteAcceptance = Static<typeof InviteAcceptance>

export const AccountUpdate = Type.Object({
  name: Type.Optional(Name),
  password: Type.Optional(NewPassword),
  current_password: Type.Optional(Password),
})
export type AccountUpdate = Static<typeof AccountUpdate>

export const NewMemberPassword = Type.Object({
  object: Type.Literal('parlance.user.password'),
  id: Type.String({ description: 'Of the user.' }),
  password: Type.String({ description: 'It is shown this once.' }),
})
export type NewMemberPassword = Static<typeof NewMemberPassword>

export const Session = Type.Object({
  object: Type.Literal('parlance.session'),
  id: Type.String(),
  created_at: unixTime('When it began.'),
  expires_at: unixTime('When it is over unless it is used before then; 30 days after it began it is over in any case.'),
  ip_address: Type.Union([Type.String(), Type.Null()]),
  user_agent: Type.Union([Type.String(), Type.Null()]),
  current: Type.Boolean({ description: 'Whether it is the one that asks.' }),
})
export type Session = Static<typeof Session>
export const SessionList = listOf(Session)

export const SessionDeleted = deletedOf('parlance.session.deleted')
export type SessionDeleted = Static<typeof SessionDeleted>

const SessionOrganization = Type.Object({
  id: Type.String(),
  name: Type.String({ description: 'For the header `OpenAI-Organization`.' }),
  title: Type.String(),
  role: OrganizationRole,
})

const SessionProject = Type.Object({ id: Type.String(), name: Type.String(), role: ProjectRole })

/** Who is signed in, and where they may go. */
export const CurrentSession = Type.Object({
  ...Session.properties,
  user: Type.Object({
    object: Type.Literal('parlance.user'),
    id: Type.String(),
    email: Type.String(),
    name: Type.String(),
    has_password: Type.Boolean({ description: 'False for those who sign in elsewhere.' }),
    created_at: unixTime('When the account was made.'),
  }),
  organization_id: Type.String({ description: 'Where requests act that carry no `OpenAI-Organization`.' }),
  organizations: Type.Array(SessionOrganization),
  project_id: Type.Union([Type.String(), Type.Null()], {
    description: 'Where requests act that carry no `OpenAI-Project`; null for somebody who is in no project.',
  }),
  projects: Type.Array(SessionProject, { description: 'Those of the organization that they may use, at most 100.' }),
  more_projects: Type.Boolean({ description: 'Whether there are more than those.' }),
  csrf_header: Type.String({
    description: 'What a request that changes something must carry beside the cookie, with any value.',
  }),
})
export type CurrentSession = Static<typeof CurrentSession>

export const Redirect = Type.Object({ object: Type.Literal('parlance.redirect'), location: Type.String() })
export type Redirect = Static<typeof Redirect>

export const SignInWays = Type.Object({
  object: Type.Literal('parlance.sign_in'),
  ways: Type.Array(
    oneOf(['password', 'oidc'], '`oidc`: a browser is led to the provider by `/v1/parlance/oidc/start`.'),
  ),
})
export type SignInWays = Static<typeof SignInWays>
