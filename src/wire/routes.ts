/** Routes as the operator sees them: `/v1/parlance/routes`. All of it is ours. */
import Type, { type Static } from 'typebox'
import { nullable } from './common.ts'
import { listOf } from './lists.ts'
import { AddedAt, Source } from './upstreams.ts'

const RouteTarget = Type.Object({
  upstream: Type.String(),
  name: Type.Optional(Type.String()),
  weight: Type.Optional(Type.Number()),
})

/** Beside these, its settings stand as an entry of `models` in `parlance.yaml`, the values of headers shortened. */
export const Route = Type.Object({
  object: Type.Literal('parlance.route'),
  model: Type.String({ description: 'As clients call it.' }),
  source: Source,
  upstream: Type.Optional(Type.String()),
  name: Type.Optional(Type.String({ description: 'Its name there.' })),
  policy: Type.Optional(Type.String()),
  targets: Type.Optional(Type.Array(RouteTarget)),
  price: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  created_at: AddedAt,
  problem: nullable(Type.String(), 'Why it cannot be called; null: nothing is known against it.'),
})
export type Route = Static<typeof Route>
export const RouteList = listOf(Route)
export const RouteDeleted = Type.Object({
  object: Type.Literal('parlance.route.deleted'),
  model: Type.String(),
  deleted: Type.Literal(true),
})
