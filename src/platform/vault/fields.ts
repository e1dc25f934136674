import type { TSchema } from 'typebox'
import { fits } from '../../wire/check.ts'
import { isRecord } from '../../wire/walk.ts'

/** Where a secret stands in a value, and the secret. */
export type SecretField = readonly [path: readonly (string | number)[], secret: unknown]

/** A value in two parts, of which the first may be shown and kept as it is. */
export interface Parted {
  /** The value, with each secret in a shortened form. */
  readonly shown: unknown
  readonly secrets: readonly SecretField[]
}

/** Takes out what the schema calls `writeOnly`. What fits no branch of a union counts as a secret. */
export function parted(schema: TSchema, value: unknown): Parted {
  const secrets: SecretField[] = []
  const walk = (inner: Shape, item: unknown, path: readonly (string | number)[]): unknown => {
    if (item === null) return null // takes a secret away
    const branch = inner.anyOf?.find(one => fits(one, item)) ?? inner
    if (branch.writeOnly === true || (branch.anyOf !== undefined && branch === inner)) {
      secrets.push([path, item])
      return shortened(item)
    }
    if (Array.isArray(item)) {
      const { items } = branch
      return items === undefined ? item : item.map((one, place) => walk(items, one, [...path, place]))
    }
    if (!isRecord(item)) return item
    const values = branch.additionalProperties ?? Object.values(branch.patternProperties ?? {})[0]
    return Object.fromEntries(
      Object.entries(item).map(([name, one]) => {
        const schemaOf = branch.properties?.[name] ?? values
        return [name, typeof schemaOf === 'object' ? walk(schemaOf, one, [...path, name]) : one]
      }),
    )
  }
  return { shown: walk(schema, value, []), secrets }
}

/** The value again. @param shown as `parted` gave it */
export function joined(shown: unknown, secrets: readonly SecretField[]): unknown {
  return secrets.reduce((whole, [path, secret]) => put(whole, path, secret), shown)
}

/** The value without them. */
export function without(shown: unknown, secrets: readonly SecretField[]): unknown {
  return secrets.reduce((whole, [path]) => put(whole, path, undefined), shown)
}

function put(value: unknown, [step, ...rest]: readonly (string | number)[], secret: unknown): unknown {
  if (step === undefined) return secret
  if (Array.isArray(value)) return value.map((item, place) => (place === step ? put(item, rest, secret) : item))
  const record = isRecord(value) ? value : {}
  const { [step]: before, ...others } = record
  const inner = put(before, rest, secret)
  return inner === undefined ? others : { ...record, [step]: inner }
}

/** What stands in the place of characters of a secret; in no secret itself. */
export const ellipsis = '…'

/** `sk-…abcd` for a long secret, so that people know which it is; nothing of a short one. */
function shortened(secret: unknown): unknown {
  if (isRecord(secret)) return Object.fromEntries(Object.keys(secret).map(name => [name, ellipsis]))
  if (typeof secret !== 'string' || !/^[\x21-\x7e]{20,512}$/.test(secret)) return ellipsis
  const [beginning = ''] = /^[A-Za-z]{1,6}[-_]/.exec(secret) ?? []
  return `${beginning}${ellipsis}${secret.slice(-4)}`
}

/** The keywords that matter here. */
interface Shape extends TSchema {
  readonly anyOf?: Shape[]
  readonly writeOnly?: boolean
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly additionalProperties?: Shape | boolean
  readonly patternProperties?: Readonly<Record<string, Shape>>
}
