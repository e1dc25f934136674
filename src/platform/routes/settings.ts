import Type, { type Static } from 'typebox'
import { routeSettings } from '../../engines/routed/settings.ts'
import { UsdPrice } from '../prices/usd.ts'
import { ModelCache } from '../response-cache/settings.ts'

/*
 * How a model that upstreams answer for is written: an entry of `models` in the settings, and a route that was added to a running
 * server. What is `writeOnly` is a secret, as in an upstream's settings.
 */

export const UpstreamModel = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'A name under `upstreams`.' }),
    name: Type.Optional(Type.String({ minLength: 1, description: 'The model’s name there. Default: its name here.' })),
    price: Type.Optional(UsdPrice),
    cache: Type.Optional(ModelCache),
  },
  { additionalProperties: false },
)

export const RoutedModel = Type.Object(
  { ...routeSettings, price: Type.Optional(UsdPrice), cache: Type.Optional(ModelCache) },
  { additionalProperties: false },
)

export type UpstreamModelConfig = Static<typeof UpstreamModel>
export type RoutedModelConfig = Static<typeof RoutedModel>
export type RouteConfig = UpstreamModelConfig | RoutedModelConfig
