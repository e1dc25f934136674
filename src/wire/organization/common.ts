/** What the objects of the administration share. Bounds on texts are ours. */
import Type, { type Static } from 'typebox'
import { oneOf } from '../common.ts'
import { ListAfter, ListLimit } from '../lists.ts'

export const OrganizationRole = oneOf(
  ['owner', 'reader'],
  'Owners may do everything; readers see everything, and use the projects that they are in.',
)
export const ProjectRole = oneOf(
  ['owner', 'member'],
  'Owners manage the users, service accounts and keys of the project; members use it.',
)

export const Name = Type.String({ minLength: 1, maxLength: 256, description: 'For people.' })
export const Email = Type.String({ minLength: 3, maxLength: 320, description: 'An e-mail address.' })
export const ObjectId = Type.String({ minLength: 1, maxLength: 100 })

/** What OpenAI's API has and this one has not: saying that it is not wanted is all that can be said. */
export const NotOffered = Type.Optional(Type.Null({ description: 'Not offered here: null, or left out.' }))

/** A list without a choice of order. */
export const PageQuery = Type.Object({ after: ListAfter, limit: ListLimit(100, 20) })
export type PageQuery = Static<typeof PageQuery>

export const deletedOf = <const Kind extends string>(kind: Kind) =>
  Type.Object({ object: Type.Literal(kind), id: Type.String(), deleted: Type.Boolean() })

/** What a key may do and with which models; for keys of projects and of service accounts. */
export const KeyScopes = Type.Union(
  [oneOf(['all', 'read']), Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 })],
  {
    description: '`all`, `read`, or a list of scopes such as `model.request`.',
  },
)
export const KeyModels = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
  minItems: 1,
  maxItems: 256,
  description: 'Names of the models that may be asked.',
})

/** Unix milliseconds as clients see them. */
export const unixSeconds = (ms: number): number => Math.floor(ms / 1000)
export const unixSecondsOrNull = (ms: number | null): number | null => (ms === null ? null : unixSeconds(ms))
