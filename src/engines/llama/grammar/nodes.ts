import { type Format, formatNames, isFormat } from './formats.ts'
import { type Budget, limits } from './limits.ts'
import { type Decimal, decimal } from './numbers.ts'
import { below, type Place, quoted, refuse, type Spot } from './spot.ts'

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export const kinds = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const
export type Kind = (typeof kinds)[number]

/** One schema of a document: its own keywords checked, its parts read, its references resolved. */
export interface Node {
  readonly id: number
  readonly spot: Spot
  /** The schema `false`. */
  never: boolean
  kinds?: ReadonlySet<Kind>
  /** Of `enum` and `const`. */
  literals: (readonly Json[])[]
  /** `$ref` and `allOf`. */
  all: Node[]
  /** `anyOf` and `oneOf`: of each group, one. */
  any: Node[][]
  number: { min: Bound[]; max: Bound[]; multiplesOf: Decimal[] }
  string: { min: number; max?: number; patterns: { source: string; spot: Spot }[]; format?: Format }
  array: { prefix: Node[]; rest?: Node; min: number; max?: number }
  object: ObjectPart
}

export interface ObjectPart {
  readonly properties: ReadonlyMap<string, Node>
  readonly required: ReadonlySet<string>
  readonly additional?: Node
  readonly min: number
  readonly max?: number
}

const unrestricted: ObjectPart = { properties: new Map(), required: new Set(), min: 0 }

export interface Bound {
  readonly value: Decimal
  readonly exclusive: boolean
}

/** Keywords that restrict nothing. */
const annotations = new Set([
  '$schema',
  '$id',
  'id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  'discriminator',
])

const isAnnotation = (keyword: string) => annotations.has(keyword) || keyword.startsWith('x-')

/**
 * Reads the schemas of one document as they are needed. Nothing is passed over: keywords that are unknown or cannot be enforced are
 * refused where they stand. A schema that several references lead to is one node.
 */
export class SchemaReader {
  readonly document: Json
  readonly place: Place
  private readonly known = new Map<Json, Node>()
  private count: number
  private depth = 0
  private readonly budget: Budget

  /**
   * @param firstId where the ids of the nodes begin, so that several documents can share one grammar
   * @throws fault.invalidValue for documents that are too large
   */
  constructor(document: unknown, place: Place, budget: Budget, firstId = 0) {
    this.place = place
    this.budget = budget
    this.count = firstId
    this.document = measured(document, { place, path: [] })
  }

  get nextId(): number {
    return this.count
  }

  root(): Node {
    return this.node(this.document, { place: this.place, path: [] })
  }

  /** A node that restricts nothing but the kinds. */
  plain(kinds: readonly Kind[]): Node {
    const node = this.empty({ place: this.place, path: [] })
    node.kinds = new Set(kinds)
    return node
  }

  /** An object without properties. */
  closed(): Node {
    const node = this.plain(['object'])
    node.object = { ...unrestricted, additional: Object.assign(this.empty(node.spot), { never: true }) }
    return node
  }

  private empty(spot: Spot): Node {
    this.budget.spend(5, spot)
    return {
      id: this.count++,
      spot,
      never: false,
      literals: [],
      all: [],
      any: [],
      number: { min: [], max: [], multiplesOf: [] },
      string: { min: 0, patterns: [] },
      array: { prefix: [], min: 0 },
      object: unrestricted,
    }
  }

  private node(schema: Json | undefined, spot: Spot): Node {
    if (typeof schema === 'boolean') return Object.assign(this.empty(spot), { never: !schema })
    if (!isObject(schema)) return refuse(spot, `${quoted(schema)} is not a schema: an object or a boolean is.`)
    const known = this.known.get(schema)
    if (known !== undefined) return known
    const node = this.empty(spot)
    this.known.set(schema, node)
    if (++this.depth > limits.references) refuse(spot, 'references lead to references too often.')
    for (const [keyword, value] of Object.entries(schema)) {
      this.budget.spend(1, spot)
      if (isAnnotation(keyword)) continue
      const read = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
      const at = below(spot, keyword)
      if (read === undefined) refuse(at, `'${quoted(keyword).slice(1, -1)}' is not supported.`)
      read({ node, value, at, schema, child: (inner, ...keys) => this.node(inner, below(at, ...keys)), reader: this })
    }
    this.depth--
    const [only, ...others] = Object.keys(schema).filter(keyword => !isAnnotation(keyword))
    const [target] = node.all
    // A mere reference is what it refers to, so that many of them are one place.
    if ((only === '$ref' || only === 'allOf') && others.length === 0 && node.all.length === 1 && target !== undefined) {
      this.known.set(schema, target)
      return target
    }
    if (schema.nullable === true && node.kinds !== undefined) node.kinds = new Set([...node.kinds, 'null'])
    return node
  }

  /** The schema that a `$ref` names. */
  target(reference: string, at: Spot): Node {
    if (reference !== '#' && !reference.startsWith('#/'))
      refuse(at, `the reference ${quoted(reference)} is not supported: only references inside the schema ('#/…') are.`)
    const path = reference
      .split('/')
      .slice(1)
      .map(part => unescaped(part, at))
    let found: Json | undefined = this.document
    for (const key of path) {
      this.budget.spend(1, at)
      if (Array.isArray(found)) found = /^(?:0|[1-9]\d*)$/.test(key) ? found[Number(key)] : undefined
      else found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined
    }
    if (found === undefined) refuse(at, `the reference ${quoted(reference)} leads nowhere.`)
    return this.node(found, { place: this.place, path })
  }
}

/** Of JSON Pointer and of URI fragments. */
function unescaped(part: string, at: Spot): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return refuse(at, `the reference holds a broken escape in ${quoted(part)}.`)
  }
}

export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The document, when it is JSON and no larger than the limits. */
function measured(document: unknown, root: Spot): Json {
  let values = 0
  let characters = 0
  const check = (value: unknown, depth: number): value is Json => {
    if (++values > limits.values) refuse(root, `a schema can hold at most ${limits.values} values.`)
    if (depth > limits.depth) refuse(root, `a schema can be nested at most ${limits.depth} levels deep.`)
    if (typeof value === 'string') characters += value.length
    if (characters > limits.characters) refuse(root, `a schema can hold at most ${limits.characters} characters.`)
    if (Array.isArray(value)) return value.every(item => check(item, depth + 1))
    if (!isObject(value))
      return value === null || ['boolean', 'string'].includes(typeof value) || Number.isFinite(value)
    return Object.entries(value).every(([key, item]) => {
      characters += key.length
      return check(item, depth + 1)
    })
  }
  return check(document, 0) ? document : refuse(root, 'the schema is not JSON.')
}

interface Reading {
  readonly node: Node
  readonly value: Json
  readonly at: Spot
  readonly schema: { readonly [key: string]: Json }
  readonly child: (inner: Json | undefined, ...keys: (string | number)[]) => Node
  readonly reader: SchemaReader
}

const keywords: Readonly<Record<string, (reading: Reading) => void>> = {
  type: ({ node, value, at }) => {
    const names = typeof value === 'string' ? [value] : texts(value, at)
    node.kinds = new Set(
      names.map(name => kinds.find(kind => kind === name) ?? refuse(at, `${quoted(name)} is not a type of JSON.`)),
    )
    if (names.length === 0) refuse(at, 'at least one type is needed.')
  },
  nullable: ({ value, at }) => void flag(value, at),
  enum: ({ node, value, at }) => {
    const values = list(value, at)
    if (values.length === 0) refuse(at, 'at least one value is needed.')
    node.literals.push(values)
  },
  const: ({ node, value }) => void node.literals.push([value]),
  $ref: ({ node, value, at, reader }) => void node.all.push(reader.target(text(value, at), at)),
  allOf: ({ node, value, at, child }) => void node.all.push(...schemas(value, at).map((inner, i) => child(inner, i))),
  anyOf: ({ node, value, at, child }) => void node.any.push(schemas(value, at).map((inner, i) => child(inner, i))),
  oneOf: ({ node, value, at, child }) => void node.any.push(schemas(value, at).map((inner, i) => child(inner, i))),

  minimum: ({ node, value, at, schema }) => {
    const exclusive = schema.exclusiveMinimum === true
    node.number.min.push({ value: decimal(numeric(value, at)), exclusive })
  },
  maximum: ({ node, value, at, schema }) => {
    const exclusive = schema.exclusiveMaximum === true
    node.number.max.push({ value: decimal(numeric(value, at)), exclusive })
  },
  // A boolean in the drafts up to 4, where it belongs to `minimum` and `maximum`.
  exclusiveMinimum: ({ node, value, at }) => {
    if (typeof value !== 'boolean') node.number.min.push({ value: decimal(numeric(value, at)), exclusive: true })
  },
  exclusiveMaximum: ({ node, value, at }) => {
    if (typeof value !== 'boolean') node.number.max.push({ value: decimal(numeric(value, at)), exclusive: true })
  },
  multipleOf: ({ node, value, at }) => {
    const divisor = numeric(value, at)
    if (divisor <= 0) refuse(at, `'multipleOf' must be above zero.`)
    node.number.multiplesOf.push(decimal(divisor))
  },

  minLength: ({ node, value, at }) => {
    node.string.min = count(value, at)
  },
  maxLength: ({ node, value, at }) => {
    node.string.max = count(value, at)
  },
  pattern: ({ node, value, at }) => void node.string.patterns.push({ source: text(value, at), spot: at }),
  format: ({ node, value, at }) => {
    const name = text(value, at)
    if (isFormat(name)) node.string.format = name
    else readNumberFormat(node, name, at)
  },

  items: ({ node, value, at, child, schema }) => {
    if (!Array.isArray(value)) node.array.rest = child(value)
    else if (schema.prefixItems !== undefined) refuse(at, `a list of 'items' and 'prefixItems' exclude each other.`)
    else node.array.prefix = value.map((inner, i) => child(inner, i))
  },
  prefixItems: ({ node, value, at, child }) => {
    node.array.prefix = list(value, at).map((inner, i) => child(inner, i))
  },
  additionalItems: ({ node, value, child, schema }) => {
    if (Array.isArray(schema.items)) node.array.rest = child(value)
  },
  minItems: ({ node, value, at }) => {
    node.array.min = count(value, at)
  },
  maxItems: ({ node, value, at }) => {
    node.array.max = count(value, at)
  },
  uniqueItems: ({ value, at, schema }) => {
    if (flag(value, at) && schema.maxItems !== 1 && schema.maxItems !== 0) refuse(at, `'uniqueItems' is not supported.`)
  },

  properties: ({ node, value, at, child }) => {
    if (!isObject(value)) refuse(at, 'an object of schemas is needed.')
    const properties = new Map(Object.entries(value).map(([name, inner]) => [name, child(inner, name)]))
    node.object = { ...node.object, properties }
  },
  required: ({ node, value, at }) => {
    node.object = { ...node.object, required: new Set(texts(value, at)) }
  },
  additionalProperties: ({ node, value, child }) => {
    const additional = child(value)
    node.object = { ...node.object, additional }
  },
  minProperties: ({ node, value, at }) => {
    node.object = { ...node.object, min: count(value, at) }
  },
  maxProperties: ({ node, value, at }) => {
    node.object = { ...node.object, max: count(value, at) }
  },
}

/** Formats of OpenAPI for numbers. */
function readNumberFormat({ number }: Node, name: string, at: Spot): void {
  if (name === 'float' || name === 'double') return
  const bits = name === 'int32' ? 31n : name === 'int64' ? 63n : undefined
  if (bits === undefined)
    refuse(at, `the format ${quoted(name)} is not supported. Supported: ${formatNames.join(', ')}.`)
  number.min.push({ value: { units: -(2n ** bits), scale: 0 }, exclusive: false })
  number.max.push({ value: { units: 2n ** bits - 1n, scale: 0 }, exclusive: false })
}

const text = (value: Json, at: Spot) => (typeof value === 'string' ? value : refuse(at, 'a string is needed.'))
const flag = (value: Json, at: Spot) => (typeof value === 'boolean' ? value : refuse(at, 'a boolean is needed.'))
const numeric = (value: Json, at: Spot) => (typeof value === 'number' ? value : refuse(at, 'a number is needed.'))
const list = (value: Json, at: Spot): readonly Json[] =>
  Array.isArray(value) ? value : refuse(at, 'a list is needed.')
const texts = (value: Json, at: Spot) => list(value, at).map(item => text(item, at))

function schemas(value: Json, at: Spot): readonly Json[] {
  const found = list(value, at)
  return found.length > 0 ? found : refuse(at, 'at least one schema is needed.')
}

function count(value: Json, at: Spot): number {
  const number = numeric(value, at)
  return Number.isSafeInteger(number) && number >= 0 ? number : refuse(at, 'a whole number of 0 or more is needed.')
}
