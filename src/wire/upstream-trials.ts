/** What is found out about an upstream: the steps of a trial, and the models it lists. All of it is ours. */
import Type, { type Static } from 'typebox'
import { ModelName, nullable, oneOf, unixTime } from './common.ts'
import { listOf } from './lists.ts'

export const UpstreamTestRequest = Type.Object({
  model: Type.Optional({
    ...ModelName,
    description:
      'Its name there. It is asked for two replies of a few tokens, which the upstream may charge. Default: one that `expose` or a route names; without any, no chat is tried.',
  }),
})
export type UpstreamTestRequest = Static<typeof UpstreamTestRequest>

export const UpstreamTestStep = Type.Object({
  name: oneOf(['resolve', 'connect', 'key', 'models', 'chat', 'stream', 'usage']),
  ok: nullable(Type.Boolean(), 'Null: it was not tried, or cannot be told.'),
  ms: nullable(Type.Integer({ minimum: 0 }), 'How long it took. Null: it was not tried, or came with another step.'),
  detail: Type.String({ description: 'What there is; where it is not well, what to do next.' }),
})

export const UpstreamTest = Type.Object({
  object: Type.Literal('parlance.upstream_test'),
  upstream: Type.String(),
  model: nullable(Type.String(), 'Of the chat. Null: none was tried.'),
  ok: Type.Boolean({
    description: 'Nothing failed that requests need. Usage in streams is not needed: it is counted here then.',
  }),
  steps: Type.Array(UpstreamTestStep),
})
export type UpstreamTest = Static<typeof UpstreamTest>

export const UpstreamModel = Type.Object({
  object: Type.Literal('parlance.upstream_model'),
  id: Type.String({ description: 'Its name there.' }),
  exposed: Type.Boolean({ description: 'It can be called by this name here, because the upstream exposes it.' }),
})

export const UpstreamModelList = Type.Object({
  ...listOf(UpstreamModel).properties,
  checked_at: nullable(unixTime('When the upstream was last asked.'), 'Null: never.'),
  detail: nullable(Type.String(), 'Why there is no newer list. Null: this is the newest.'),
})
export type UpstreamModelList = Static<typeof UpstreamModelList>
