import { operation } from '../../platform/operation.ts'
import { accountOf, changeAccount, renewPassword } from '../../platform/sign-in/account.ts'
import { AccountUpdate, CurrentSession, NewMemberPassword } from '../../wire/sessions.ts'
import { current, unkept } from './shown.ts'

export const updateAccount = operation<AccountUpdate>({
  id: 'parlance.users.me.update',
  method: 'POST',
  path: '/v1/parlance/users/me',
  summary: 'Changes your name, or your password with the one you have. A new password ends your other sign-ins.',
  body: AccountUpdate,
  strict: true,
  reply: CurrentSession,
  scope: 'person',
  bills: 'nothing',
  async run({ body }, context) {
    await changeAccount(context, body)
    return { kind: 'json', value: current(context, await accountOf(context)), headers: unkept }
  },
})

export const renewMemberPassword = operation<unknown, 'user_id'>({
  id: 'operator.members.password',
  method: 'POST',
  path: '/v1/parlance/members/{user_id}/password',
  summary: 'Gives somebody a new password and ends all their sign-ins. For commands on this machine.',
  reply: NewMemberPassword,
  showsSecret: true,
  scope: 'operator',
  bills: 'nothing',
  async run({ params: { user_id: id } }, context) {
    const password = await renewPassword(context, id)
    return { kind: 'json', value: { object: 'parlance.user.password', id, password } satisfies NewMemberPassword }
  },
})
