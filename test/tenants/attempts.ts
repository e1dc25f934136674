import type { Operation } from '../../src/platform/operation.ts'
import { type Shape, shapeOf } from '../../src/wire/walk.ts'
import { FormBody } from './form.ts'
import type { Entry, Names } from './parameters.ts'
import type { Kind, Place } from './place.ts'

/** One id of a request: where it stands, how it is called, and what it names. */
export interface Parameter {
  where: 'path' | 'query' | 'body'
  name: string
  kind: Kind
}

/** A request that names something that is not the caller's. */
export interface Attempt {
  /** The parameters that do. */
  foreign: readonly Parameter[]
  path: string
  body: object | undefined
}

const isKind = (names: Names): names is Kind => names !== 'nobody' && names !== 'secret'

/** All ids that an operation can be told. */
export const parametersOf = (entry: Entry): Parameter[] =>
  (['path', 'query', 'body'] as const).flatMap(where =>
    Object.entries(entry[where] ?? {}).flatMap(([name, kind]) => (isKind(kind) ? [{ where, name, kind }] : [])),
  )

/** Each id alone, and all of them together. */
export function combinations(entry: Entry): Parameter[][] {
  const all = parametersOf(entry)
  const each = all.map(one => [one])
  return all.length > 1 ? [...each, all] : each
}

/** @param value of each of them. Ids that are not foreign are the caller's own. */
export function attempt(
  operation: Operation,
  entry: Entry,
  own: Place,
  foreign: readonly Parameter[],
  value: (kind: Kind) => string,
): Attempt {
  const isForeign = (where: string, name: string) =>
    foreign.some(parameter => parameter.where === where && parameter.name === name)
  const idFor = (where: 'path' | 'query' | 'body', name: string, kind: Names) => {
    if (!isKind(kind)) return 'words'
    return isForeign(where, name) ? value(kind) : own[kind]
  }
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(idFor('path', name, entry.path?.[name] ?? 'nobody')),
  )
  const asked = new URLSearchParams(entry.asks)
  const { properties = {} } = operation.query === undefined ? {} : shapeOf(operation.query)
  for (const [name, kind] of Object.entries(entry.query ?? {})) {
    if (!isForeign('query', name)) continue
    const isList = (properties[name]?.anyOf ?? [properties[name]]).some(shape => shape?.type === 'array')
    asked.append(isList ? `${name}[]` : name, idFor('query', name, kind))
  }
  const question = asked.size === 0 ? '' : `?${asked}`
  return { foreign, path: path + question, body: bodyOf(operation, entry, own, foreign, value) }
}

function bodyOf(
  operation: Operation,
  { body = {}, example = {}, instead = {}, needs = [] }: Entry,
  own: Place,
  foreign: readonly Parameter[],
  value: (kind: Kind) => string,
): object | undefined {
  if (operation.body === undefined) return undefined
  if (operation.form !== undefined)
    return new FormBody({ field: operation.form.file, name: 'apple.txt', text: 'apple' }, { ...example })
  const made: Record<string, unknown> = structuredClone(example) as Record<string, unknown>
  const required = [...(shapeOf(operation.body).required ?? []), ...needs]
  const isForeign = (name: string) => foreign.some(parameter => parameter.where === 'body' && parameter.name === name)
  const foreignFirst = Object.entries(body).sort(([one], [other]) => Number(isForeign(other)) - Number(isForeign(one)))
  for (const [name, kind] of foreignFirst) {
    if (!isKind(kind) || !(isForeign(name) || required.includes(name))) continue
    const other = instead[name]
    if (other !== undefined && made[other] !== undefined) continue
    const id = isForeign(name) ? value(kind) : made[name] || own[kind]
    const [, outer, isList, field] = /^(\w+)(\[\])?\.(\w+)$/.exec(name) ?? []
    const isArray = shapeOf(operation.body).properties?.[name]?.type === 'array'
    if (outer === undefined || field === undefined) made[name] = isArray ? [id] : id
    else made[outer] = isList === undefined ? { [field]: id } : [{ [field]: id, role: 'member' }]
  }
  return made
}

/** What in a schema is called as ids and cursors are, by its way: `projects[].id`. */
export function idsIn(shape: Shape, way = ''): string[] {
  const found = new Set<string>()
  for (const one of shape.anyOf ?? []) for (const id of idsIn(one, way)) found.add(id)
  if (shape.items !== undefined) for (const id of idsIn(shape.items, `${way}[]`)) found.add(id)
  for (const [name, inner] of Object.entries(shape.properties ?? {})) {
    const here = way === '' ? name : `${way}.${name}`
    if (looksLikeId.test(name)) found.add(here)
    for (const id of idsIn(inner, here)) found.add(id)
  }
  return [...found]
}

const looksLikeId =
  /(?:^|_)(?:ids?|identifier|after|before|page|cursor|token|code|key|keys|user|users|emails?|organization|project|conversation)$/

/** Another id of the same form and length. */
export function madeUp(id: string): string {
  return id.replace(/[A-Za-z0-9]+$/, end => [...end].map(moved).join(''))
}

const alphabets = ['abcdef', 'ghijklmnopqrstuvwxyz', 'ABCDEF', 'GHIJKLMNOPQRSTUVWXYZ', '0123456789']

function moved(character: string): string {
  const alphabet = alphabets.find(letters => letters.includes(character))!
  return alphabet[(alphabet.indexOf(character) + 1) % alphabet.length]!
}
