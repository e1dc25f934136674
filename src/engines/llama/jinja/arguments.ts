import { TemplateError } from './errors.ts'
import { type Arguments, isNumber, plainNumber, typeName, type Value } from './values.ts'

/** Arguments in the order of their names; undefined where none is given. @throws TemplateError for too many, or one nobody knows */
export function bound(names: readonly string[], { list, named }: Arguments): Value[] {
  if (list.length > names.length) throw new TemplateError(`at most ${names.length} arguments are taken`)
  for (const name of named.keys())
    if (!names.includes(name)) throw new TemplateError(`there is no argument '${name.slice(0, 64)}'`)
  return names.map((name, i) => (i < list.length ? list[i] : named.get(name)))
}

/** @throws TemplateError when it is no text */
export function textArgument(value: Value): string {
  if (typeof value === 'string') return value
  throw new TemplateError(`a text is needed, not ${typeName(value)}`)
}

/** @throws TemplateError when it is no number */
export function numberArgument(value: Value): number {
  if (isNumber(value)) return plainNumber(value)
  throw new TemplateError(`a number is needed, not ${typeName(value)}`)
}
