import { type Project, ProjectList } from '../src/wire/organization/projects.ts'
import { type User, UserList } from '../src/wire/organization/users.ts'
import type { Call } from './calling.ts'
import { UsageError } from './run.ts'
import { everyItem } from './verbs.ts'

/** Things of an organisation by what people call them. All of them throw UsageError with where to look. */

export const everyProject = (call: Call, archived = false): Promise<Project[]> =>
  everyItem(call, 'organization.projects.list', {
    reply: ProjectList,
    query: { include_archived: archived },
    itemsOf: page => page,
  })

export const everyUser = (call: Call): Promise<User[]> =>
  everyItem(call, 'organization.users.list', { reply: UserList, itemsOf: page => page })

/** A project that is not archived, by id or name. */
export async function projectNamed(call: Call, asked: string): Promise<Project> {
  const found = (await everyProject(call)).filter(({ id, name }) => id === asked || name === asked)
  if (found.length > 1)
    throw new UsageError(
      `${found.length} projects are called '${asked}': name the id, as \`parlance projects list\` shows it.`,
    )
  if (found[0] === undefined)
    throw new UsageError(`There is no project '${asked}'. \`parlance projects list\` shows them.`)
  return found[0]
}

export async function projectIdOf(call: Call, asked: string | undefined): Promise<string | undefined> {
  return asked === undefined ? undefined : (await projectNamed(call, asked)).id
}

/** Somebody of the organisation, by id or e-mail address. */
export async function userNamed(call: Call, asked: string): Promise<User> {
  const address = asked.trim().toLowerCase()
  const found = (await everyUser(call)).find(({ id, email }) => id === asked || email === address)
  if (found === undefined)
    throw new UsageError(`There is nobody called '${asked}'. \`parlance members list\` shows who is there.`)
  return found
}
