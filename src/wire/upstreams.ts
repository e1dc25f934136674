/** Upstreams as the operator sees them: `/v1/parlance/upstreams`. All of it is ours. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from './common.ts'
import { listOf } from './lists.ts'

export const Source = oneOf(
  ['file', 'store'],
  '`file`: of parlance.yaml, and changed there. `store`: it was added to the running server.',
)
export const AddedAt = nullable(unixTime('When it was added.'), 'Null: it is in the file.')

/** Beside these, its settings stand as in `parlance.yaml`, each secret in a shortened form. */
export const Upstream = Type.Object({
  object: Type.Literal('parlance.upstream'),
  name: Type.String(),
  source: Source,
  kind: Type.String({ description: 'As in its settings, or as its address tells.' }),
  base_url: Type.String(),
  api_key: Type.Optional(Type.String({ description: 'Shortened: `sk-…abcd`.' })),
  expose: Type.Optional(Type.Union([oneOf(['none', 'all']), Type.Array(Type.String())])),
  created_at: AddedAt,
  health: Type.Object({
    state: oneOf(['unknown', 'ready', 'failed']),
    checked_at: nullable(unixTime('When somebody looked last.')),
    latency_ms: nullable(Type.Number({ minimum: 0 })),
    detail: nullable(Type.String({ description: 'What is wrong, in words.' })),
  }),
  models: nullable(
    Type.Integer({ minimum: 0, description: 'How many models it listed last.' }),
    'Null: it has not yet.',
  ),
})
export type Upstream = Static<typeof Upstream>
export const UpstreamList = listOf(Upstream)
export const UpstreamDeleted = Type.Object({
  object: Type.Literal('parlance.upstream.deleted'),
  name: Type.String(),
  deleted: Type.Literal(true),
})
