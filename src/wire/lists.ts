/** Cursor lists (wire.md section 6). */
import Type, { type Static, type TSchema } from 'typebox'
import { nullable } from './common.ts'

export const ListLimit = (maximum: number, usual: number) =>
  Type.Optional(
    Type.Integer({ minimum: 1, maximum, description: `At most so many objects, 1 to ${maximum}. Default: ${usual}.` }),
  )
export const ListOrder = (usual: 'asc' | 'desc') =>
  Type.Optional(
    Type.Enum(['asc', 'desc'], { type: 'string', description: `By time of creation. Default: \`${usual}\`.` }),
  )
export const ListAfter = Type.Optional(
  Type.String({ minLength: 1, maxLength: 256, description: 'The id of the last object of the page before.' }),
)
export const ListBefore = Type.Optional(
  Type.String({ minLength: 1, maxLength: 256, description: 'The id of the first object of the page after.' }),
)

export const listOf = <Schema extends TSchema>(item: Schema) =>
  Type.Object({
    object: Type.Literal('list'),
    data: Type.Array(item),
    first_id: nullable(Type.String()),
    last_id: nullable(Type.String()),
    has_more: Type.Boolean(),
  })

/** A page as clients see it; an empty one has no first and no last. */
export function list<Item extends { id: string }>(data: Item[], hasMore: boolean) {
  return {
    object: 'list' as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  }
}
export type List<Item extends TSchema> = Static<ReturnType<typeof listOf<Item>>>
