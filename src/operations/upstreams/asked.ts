import Type, { type Static } from 'typebox'
import { UpstreamSettings } from '../../engines/upstream/settings.ts'
import { changesOf } from '../../wire/common.ts'

/* The bodies are the settings of `parlance.yaml`, so that nothing is written twice. */

export const UpstreamName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'How routes and `parlance.yaml` name it: letters, digits, `.`, `_` and `-`.',
})

export const UpstreamRequest = Type.Object({ name: UpstreamName, ...UpstreamSettings.properties })
export type UpstreamRequest = Static<typeof UpstreamRequest>

export const UpstreamChanges = changesOf(UpstreamSettings.properties)
export type UpstreamChanges = Readonly<Record<string, unknown>>
