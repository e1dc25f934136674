/**
 * Tool and function definitions as the models read them: TypeScript, not JSON.
 *
 * OpenAI does not publish the form; it was found by asking models for their prompt and by comparing `usage.prompt_tokens`. Sources:
 * hmarr.com/blog/counting-openai-tokens and github.com/hmarr/openai-chat-tokens (MIT), github.com/forestwanglin/openai-java,
 * github.com/pamelafox/openai-messages-token-helper (MIT), whose counts from the API are the tests of `chat.ts`.
 */

/** A JSON Schema object as far as the form reads it; anything else in it is not shown to the model. */
export type Schema = Readonly<Record<string, unknown>>

export interface FunctionDefinition {
  readonly name: string
  readonly description?: string | null | undefined
  readonly parameters?: Schema | null | undefined
}

/**
 * How properties inside properties are shown: for `functions` (2023) indented and without their descriptions, for `tools` (2024)
 * with them and without indent.
 */
export type Form = 'functions' | 'tools'

/** The definitions in the models' form, without a line feed at the end. */
export function functionsText(functions: readonly FunctionDefinition[], form: Form): string {
  const lines = ['namespace functions {', '']
  for (const { name, description, parameters } of functions) {
    if (description) lines.push(`// ${description}`)
    const body = propertyLines(parameters ?? {}, 0, form)
    if (body.length === 0) lines.push(`type ${name} = () => any;`)
    else lines.push(`type ${name} = (_: {`, ...body, '}) => any;')
    lines.push('')
  }
  lines.push('} // namespace functions')
  return lines.join('\n')
}

/** Deeper schemas are cut off, as no model is shown more and recursion must end. */
const depthMax = 32

function propertyLines(schema: Schema, depth: number, form: Form): string[] {
  const required = Array.isArray(schema.required) ? schema.required : []
  const indent = form === 'functions' ? ' '.repeat(depth * 2) : ''
  const lines: string[] = []
  for (const [name, property] of Object.entries(asSchema(schema.properties))) {
    const { description } = asSchema(property)
    const isShown = depth === 0 || form === 'tools'
    if (isShown && typeof description === 'string' && description !== '') lines.push(`${indent}// ${description}`)
    const mark = required.includes(name) ? '' : '?'
    lines.push(`${indent}${name}${mark}: ${typeText(asSchema(property), depth, form)},`)
  }
  return lines
}

function typeText(schema: Schema, depth: number, form: Form): string {
  if (depth >= depthMax) return 'any'
  const options = schema.anyOf ?? schema.oneOf
  if (Array.isArray(options)) return options.map(option => typeText(asSchema(option), depth, form)).join(' | ')
  if (Array.isArray(schema.type)) return schema.type.map(type => typeText({ ...schema, type }, depth, form)).join(' | ')
  switch (schema.type) {
    case 'string':
      return Array.isArray(schema.enum) ? schema.enum.map(value => `"${value}"`).join(' | ') : 'string'
    case 'integer':
    case 'number':
      return Array.isArray(schema.enum) ? schema.enum.join(' | ') : 'number'
    case 'boolean':
    case 'null':
      return schema.type
    case 'array':
      return schema.items === undefined ? 'any[]' : `${typeText(asSchema(schema.items), depth + 1, form)}[]`
    case 'object':
      return ['{', ...propertyLines(schema, depth + 1, form), '}'].join('\n')
    default:
      return 'any'
  }
}

const asSchema = (value: unknown): Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
