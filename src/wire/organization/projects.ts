/** Projects of an organisation: `/v1/organization/projects`. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from '../common.ts'
import { listOf } from '../lists.ts'
import { Name, NotOffered, PageQuery } from './common.ts'

export const Project = Type.Object({
  object: Type.Literal('organization.project'),
  id: Type.String(),
  name: Type.String(),
  created_at: unixTime('When it was made.'),
  archived_at: nullable(unixTime('When it was archived.')),
  status: oneOf(['active', 'archived']),
})
export type Project = Static<typeof Project>
export const ProjectList = listOf(Project)

export const ProjectQuery = Type.Object({
  ...PageQuery.properties,
  include_archived: Type.Optional(Type.Boolean({ description: 'Archived projects, too. Default: `false`.' })),
})
export type ProjectQuery = Static<typeof ProjectQuery>

/** Where data lie is where this server runs; keys for their encryption are not managed. */
const notOffered = { external_key_id: NotOffered, residency: NotOffered, geography: NotOffered }

export const ProjectRequest = Type.Object({ name: Name, ...notOffered })
export type ProjectRequest = Static<typeof ProjectRequest>

export const ProjectUpdate = Type.Object({ name: Type.Optional(nullable(Name)), ...notOffered })
export type ProjectUpdate = Static<typeof ProjectUpdate>
