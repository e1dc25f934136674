import { InviteCreated, InviteDeleted, InviteList } from '../../src/wire/organization/invites.ts'
import { ProjectUser, ProjectUserDeleted, ProjectUserList } from '../../src/wire/organization/project-users.ts'
import { User, UserDeleted } from '../../src/wire/organization/users.ts'
import { NewMemberPassword } from '../../src/wire/sessions.ts'
import type { Call } from '../calling.ts'
import { everyUser, projectNamed, userNamed } from '../named.ts'
import { table } from '../table.ts'
import { choice, day, plain } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance members: the people of an organisation and of its projects.

  members list             Everybody, and the invites that nobody has accepted yet.
  members invite EMAIL     Print the secret of an invite, this once. It is good for seven days;
                           no mail is sent: pass it on.
      --role ROLE          owner, or reader (default): sees everything, uses the projects they are in.
      --project P[:ROLE]   Into this project, as member (default) or owner; once for each project.
                           Without it, the default project.
  members add EMAIL        Take somebody in without an invite, to make keys for them.
      --role ROLE          As above.
      --name NAME          Default: the address.
  members role EMAIL ROLE  Give somebody another role.
  members password EMAIL   Give somebody a new password, shown this once, and end their sign-ins.
  members remove EMAIL     Take somebody out and end their keys; or withdraw their invite.

  With --project P, list, add, role and remove are about the people of that project; there, roles are
  owner and member, and whoever is added must be in the organisation.

  With each: --json, --organization NAME, --data-dir FOLDER.
`

const roles = ['owner', 'reader'] as const
const projectRoles = ['owner', 'member'] as const

export const run = command(
  'members',
  {
    list: verb({ options: { project: 'text' }, run: list }),
    invite: verb({ takes: ['EMAIL'], options: { role: 'text', project: 'texts' }, run: invite }),
    add: verb({ takes: ['EMAIL'], options: { role: 'text', name: 'text', project: 'text' }, run: add }),
    role: verb({ takes: ['EMAIL', 'ROLE'], options: { project: 'text' }, run: setRole }),
    password: verb({ takes: ['EMAIL'], options: {}, run: password }),
    remove: verb({ takes: ['EMAIL'], options: { project: 'text' }, run: remove }),
  },
  'list',
)

async function list({ call, text, print }: Told<{ project: 'text' }>): Promise<void> {
  const asked = text('project')
  if (asked !== undefined) {
    const { id } = await projectNamed(call, asked)
    const users = await everyItem(call, 'organization.projects.users.list', {
      params: { project_id: id },
      reply: ProjectUserList,
      itemsOf: page => page,
    })
    const row = (user: ProjectUser) => [user.id, plain(user.email), plain(user.name), user.role, day(user.added_at)]
    return print(users, () => table([['ID', 'EMAIL', 'NAME', 'ROLE', 'SINCE'], ...users.map(row)]))
  }
  const users = await everyUser(call)
  const invites = await openInvites(call)
  print([...users, ...invites], () =>
    table([
      ['ID', 'EMAIL', 'NAME', 'ROLE', 'SINCE'],
      ...users.map(user => [user.id, plain(user.email), plain(user.name), user.role, day(user.added_at)]),
      ...invites.map(({ id, email, role, expires_at }) => [
        id,
        plain(email),
        '',
        role,
        `invited, until ${day(expires_at)}`,
      ]),
    ]),
  )
}

async function openInvites(call: Call) {
  const invites = await everyItem(call, 'organization.invites.list', { reply: InviteList, itemsOf: page => page })
  return invites.filter(({ status }) => status === 'pending')
}

async function invite({ call, text, texts, words: [email], print, note }: Told<{ role: 'text'; project: 'texts' }>) {
  const role = choice('--role', text('role') ?? 'reader', roles)
  const asked = texts('project')
  const projects = asked && (await Promise.all(asked.map(project => invitedTo(call, project))))
  const body = { email, role, ...(projects !== undefined && { projects }) }
  const made = await call('organization.invites.create', { body, reply: InviteCreated })
  print(made, () => `${made.accept_token}\n`)
  note(
    `Invite ${made.id} for ${plain(made.email)}, until ${day(made.expires_at)}. It is shown this once, and no mail is sent: pass it on.`,
  )
}

/** `P` or `P:ROLE`. */
async function invitedTo(call: Call, asked: string): Promise<{ id: string; role: (typeof projectRoles)[number] }> {
  const [, name = asked, role = 'member'] = /^(.+):(\w+)$/s.exec(asked) ?? []
  return { id: (await projectNamed(call, name)).id, role: choice('The role in --project', role, projectRoles) }
}

async function add({ call, text, words: [email], print }: Told<{ role: 'text'; name: 'text'; project: 'text' }>) {
  const [asked, name, role] = [text('project'), text('name'), text('role')]
  if (asked === undefined) {
    const body = { email, role: choice('--role', role ?? 'reader', roles), ...(name !== undefined && { name }) }
    const user = await call('operator.members.create', { body, reply: User })
    return print(user, () => `${plain(user.email)} is in the organisation now, as ${user.role}.\n`)
  }
  const project = await projectNamed(call, asked)
  const body = { email, role: choice('--role', role ?? 'member', projectRoles) }
  const params = { project_id: project.id }
  const user = await call('organization.projects.users.create', { params, body, reply: ProjectUser })
  print(user, () => `${plain(user.email)} is in ${plain(project.name)} now, as ${user.role}.\n`)
}

async function setRole({ call, text, words: [email = '', role = ''], print }: Told<{ project: 'text' }>) {
  const asked = text('project')
  const project = asked === undefined ? undefined : await projectNamed(call, asked)
  const body = { role: choice('The role', role, project === undefined ? roles : projectRoles) }
  const { id: user_id } = await userNamed(call, email)
  const user =
    project === undefined
      ? await call('organization.users.update', { params: { user_id }, body, reply: User })
      : await call('organization.projects.users.update', {
          params: { project_id: project.id, user_id },
          body,
          reply: ProjectUser,
        })
  print(user, () => `${plain(user.email)} is ${user.role} now.\n`)
}

async function password({ call, words: [email = ''], print, note }: Told<Record<never, never>>) {
  const { id: user_id } = await userNamed(call, email)
  const made = await call('operator.members.password', { params: { user_id }, reply: NewMemberPassword })
  print(made, () => `${made.password}\n`)
  note('It is shown this once. Whoever has it signs in and chooses another.')
}

async function remove({ call, text, words: [email = ''], print }: Told<{ project: 'text' }>) {
  const asked = text('project')
  if (asked !== undefined) {
    const project = await projectNamed(call, asked)
    const params = { project_id: project.id, user_id: (await userNamed(call, email)).id }
    const gone = await call('organization.projects.users.delete', { params, reply: ProjectUserDeleted })
    return print(gone, () => `${plain(email)} is not in ${plain(project.name)} any more.\n`)
  }
  const address = email.trim().toLowerCase()
  const invited = (await openInvites(call)).find(({ id, email: of }) => id === email || of === address)
  if (invited !== undefined) {
    const gone = await call('organization.invites.delete', { params: { invite_id: invited.id }, reply: InviteDeleted })
    return print(gone, () => `The invite for ${plain(invited.email)} is withdrawn.\n`)
  }
  const user = await userNamed(call, email)
  const gone = await call('organization.users.delete', { params: { user_id: user.id }, reply: UserDeleted })
  print(gone, () => `${plain(user.email)} is not in the organisation any more. Their keys have ended.\n`)
}
