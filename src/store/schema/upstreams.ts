/** Upstreams and routes that were added to the running server. They are the operator's: no organisation owns one. */

interface SettingsRow {
  /** JSON, as in `parlance.yaml`, each secret in its shortened form. */
  settings: string
  /** The secrets, encrypted (`platform/vault`); null: there are none. */
  secrets: string | null
  /** Unix milliseconds. */
  created_at: number
  /** Unix milliseconds; another one after each change. */
  updated_at: number
}

export interface UpstreamsTable extends SettingsRow {
  name: string
}

export interface RoutesTable extends SettingsRow {
  /** As clients call it. */
  model: string
}

/** Which upstreams of this table a route stands on: they cannot be deleted. */
export interface RouteUpstreamsTable {
  model: string
  upstream: string
}
