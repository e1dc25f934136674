import { operation } from '../../platform/operation.ts'
import { acceptAndSignIn, setUpOwner } from '../../platform/sign-in/signing-in.ts'
import { CurrentSession, InviteAcceptance, SetupRequest } from '../../wire/sessions.ts'
import { signedIn } from './shown.ts'

export const setUp = operation<SetupRequest>({
  id: 'parlance.setup',
  method: 'POST',
  path: '/v1/parlance/setup',
  summary:
    'Gives the first owner an address, a name and a password, with the token that the start of the server has printed.',
  body: SetupRequest,
  strict: true,
  reply: CurrentSession,
  scope: 'anyone',
  bills: 'nothing',
  run: async ({ body }, context) => signedIn(context, await setUpOwner(context, body)),
})

export const acceptInvite = operation<InviteAcceptance>({
  id: 'parlance.invites.accept',
  method: 'POST',
  path: '/v1/parlance/invites/accept',
  summary:
    'Accepts an invite and signs in: somebody new with a name and a password, or whoever is signed in with the token alone.',
  body: InviteAcceptance,
  strict: true,
  reply: CurrentSession,
  scope: 'anyone',
  bills: 'nothing',
  run: async ({ body }, context) => signedIn(context, await acceptAndSignIn(context, body)),
})
