import type { Static, TSchema } from 'typebox'
import { fault } from '../../lib/faults.ts'
import { fits } from '../../wire/check.ts'
import { isRecord } from '../../wire/walk.ts'
import { joined, parted, type SecretField, without } from './fields.ts'
import { SecretUnreadable, type Vault } from './index.ts'

/** Settings with secrets as a row of the database holds them. */
export interface KeptRow {
  /** JSON; each secret is in its shortened form. */
  settings: string
  /** Encrypted; null: there are none. */
  secrets: string | null
}

/** The same, read. */
export interface Read<Settings> {
  /** Whole; without secrets where they cannot be read. */
  readonly settings: Settings
  /** As `KeptRow.settings`. */
  readonly shown: Shown
  readonly problem?: string
}

export type Shown = Readonly<Record<string, unknown>>

/** @param place what the secrets belong to. @throws Fault 500 `secrets_unavailable` */
export function kept(vault: Vault, place: string, schema: TSchema, settings: object): KeptRow {
  const { shown, secrets } = parted(schema, settings)
  if (secrets.length === 0) return { settings: JSON.stringify(shown), secrets: null }
  try {
    return { settings: JSON.stringify(shown), secrets: vault.seal(place, JSON.stringify(secrets)) }
  } catch (cause) {
    throw fault.secretsUnavailable(cause)
  }
}

/** @returns undefined for what no version of these settings is: somebody else has written it */
export function readKept<Schema extends TSchema>(
  vault: Vault,
  place: string,
  schema: Schema,
  row: KeptRow,
): Read<Static<Schema>> | undefined {
  const shown = parsed(row.settings)
  if (!isRecord(shown)) return undefined
  const opened = row.secrets === null ? [] : opening(vault, place, row.secrets)
  const bare = typeof opened === 'string' ? without(shown, parted(schema, shown).secrets) : joined(shown, opened)
  if (!fits(schema, bare)) return undefined
  return { settings: bare, shown, ...(typeof opened === 'string' && { problem: opened }) }
}

/** @returns the secrets, or why they cannot be read */
function opening(vault: Vault, place: string, sealed: string): readonly SecretField[] | string {
  try {
    const fields = parsed(vault.open(place, sealed))
    return isFields(fields) ? fields : 'its secrets stand in a form that this version of Parlance does not know'
  } catch (error) {
    if (error instanceof SecretUnreadable) return error.message
    throw error
  }
}

const isFields = (value: unknown): value is SecretField[] =>
  Array.isArray(value) && value.every(field => Array.isArray(field) && Array.isArray(field[0]) && field.length === 2)

/** @returns undefined for what is no JSON */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The same row under the key that is used now; undefined: it is already, it has no secrets, or they cannot be read. */
export function renewedSecrets(vault: Vault, place: string, { secrets }: KeptRow): string | undefined {
  if (secrets === null || vault.isCurrent(secrets)) return undefined
  try {
    return vault.seal(place, vault.open(place, secrets))
  } catch (error) {
    if (error instanceof SecretUnreadable) return undefined
    throw error
  }
}

/**
 * Settings with changes: null takes a field away.
 * @returns the whole, and whether secrets that cannot be read are still needed for it
 */
export function changedSettings(
  schema: TSchema,
  before: { readonly settings: object; readonly shown: Shown; readonly problem?: string | undefined },
  changes: Readonly<Record<string, unknown>>,
): { settings: Shown; lacksSecrets: boolean } {
  const settings = Object.fromEntries(
    Object.entries({ ...before.settings, ...changes }).filter(([, value]) => value !== null && value !== undefined),
  )
  const needed = before.problem === undefined ? [] : parted(schema, before.shown).secrets
  const lacksSecrets = needed.some(([[field]]) => typeof field === 'string' && !(field in changes))
  return { settings, lacksSecrets }
}
