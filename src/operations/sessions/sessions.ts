import { operation } from '../../platform/operation.ts'
import { accountOf } from '../../platform/sign-in/account.ts'
import { sessionId, sessionsOf } from '../../platform/sign-in/sessions.ts'
import { endSession, signInWithPassword, signOut } from '../../platform/sign-in/signing-in.ts'
import { list } from '../../wire/lists.ts'
import { CurrentSession, SessionDeleted, SessionList, SessionRequest } from '../../wire/sessions.ts'
import { cookie, current, shown, signedIn, unkept } from './shown.ts'

export const createSession = operation<SessionRequest>({
  id: 'parlance.sessions.create',
  method: 'POST',
  path: '/v1/parlance/sessions',
  summary: 'Signs somebody in with their password. The reply sets a cookie, which stands for them from then on.',
  body: SessionRequest,
  strict: true,
  reply: CurrentSession,
  scope: 'anyone',
  bills: 'nothing',
  run: async ({ body }, context) => signedIn(context, await signInWithPassword(context, body)),
})

export const listSessions = operation({
  id: 'parlance.sessions.list',
  method: 'GET',
  path: '/v1/parlance/sessions',
  summary: 'Lists where you are signed in, the newest first; at most 50.',
  reply: SessionList,
  scope: 'person',
  bills: 'nothing',
  async run(_input, { store, caller, clock }) {
    const sessions = await sessionsOf(store, caller.userId ?? '', clock.now())
    const value = list(
      sessions.map(session => shown(session, caller.sessionHash)),
      false,
    )
    return { kind: 'json', value, headers: unkept }
  },
})

export const retrieveCurrentSession = operation({
  id: 'parlance.sessions.current.retrieve',
  method: 'GET',
  path: '/v1/parlance/sessions/current',
  summary: 'Tells who is signed in, in which organizations and projects, and with which roles.',
  reply: CurrentSession,
  scope: 'person',
  bills: 'nothing',
  run: async (_input, context) => ({
    kind: 'json',
    value: current(context, await accountOf(context)),
    headers: unkept,
  }),
})

export const deleteCurrentSession = operation({
  id: 'parlance.sessions.current.delete',
  method: 'DELETE',
  path: '/v1/parlance/sessions/current',
  summary: 'Signs out.',
  reply: SessionDeleted,
  scope: 'person',
  bills: 'nothing',
  async run(_input, context) {
    const id = sessionId(context.caller.sessionHash ?? '')
    await signOut(context)
    return { kind: 'json', value: deleted(id), headers: [...unkept, ...cookie(context, null)] }
  },
})

export const deleteSession = operation<unknown, 'session_id'>({
  id: 'parlance.sessions.delete',
  method: 'DELETE',
  path: '/v1/parlance/sessions/{session_id}',
  summary: 'Signs you out somewhere else: ends one of your own sign-ins, with its running requests.',
  reply: SessionDeleted,
  scope: 'person',
  bills: 'nothing',
  async run({ params: { session_id: id } }, context) {
    await endSession(context, id)
    return { kind: 'json', value: deleted(id) }
  },
})

const deleted = (id: string): SessionDeleted => ({ object: 'parlance.session.deleted', id, deleted: true })
