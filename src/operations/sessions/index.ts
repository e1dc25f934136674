import type { Operation } from '../../platform/operation.ts'
import { renewMemberPassword, updateAccount } from './account.ts'
import { acceptInvite, setUp } from './joining.ts'
import { finishOidc, retrieveSignIn, startOidc } from './oidc.ts'
import { createSession, deleteCurrentSession, deleteSession, listSessions, retrieveCurrentSession } from './sessions.ts'

/** Signing in, and what people do with their own account. */
export const sessionOperations: readonly Operation[] = [
  retrieveSignIn,
  createSession,
  listSessions,
  retrieveCurrentSession,
  deleteCurrentSession,
  deleteSession,
  updateAccount,
  renewMemberPassword,
  setUp,
  acceptInvite,
  startOidc,
  finishOidc,
]
