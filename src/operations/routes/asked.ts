import Type, { type Static } from 'typebox'
import { RoutedModel, UpstreamModel } from '../../platform/routes/settings.ts'
import { changesOf, modelLengthMax } from '../../wire/common.ts'

/* The bodies are entries of `models` in `parlance.yaml`, in either form; which one is checked where they are kept. */

const settings = { ...UpstreamModel.properties, ...RoutedModel.properties }

export const RouteRequest = Type.Object({
  model: Type.String({ minLength: 1, maxLength: modelLengthMax, description: 'As clients will call it.' }),
  ...settings,
  upstream: Type.Optional(UpstreamModel.properties.upstream),
  targets: Type.Optional(RoutedModel.properties.targets),
})
export type RouteRequest = Static<typeof RouteRequest>

export const RouteChanges = changesOf(settings)
export type RouteChanges = Readonly<Record<string, unknown>>
