/**
 * The schema gate: holds replies and stream events against the schemas that OpenAI published, of four times. Every reply a test
 * gets can be put through it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { allowances } from './allowances.ts'
import type { Cut } from './cut.ts'
import type { JsonSchema } from './normalise.ts'

/** Dates of the published files: before tools, DevDay, the end of 2024, and the newest. */
export const eras = ['2023-06-19', '2023-11-28', '2024-12-18', '2026-08-21'] as const
export type Era = (typeof eras)[number]

/**
 * What is wrong with the JSON body of a reply, as lines like `/choices/0/index must be integer`; empty when nothing is. The path may
 * start with `/v1`. Statuses from 400 are held against the error schema, all others against that of status 200. An operation that
 * the gate does not know is an error too.
 */
export function validateReply(era: Era, method: string, path: string, status: number, body: unknown): string[] {
  const gate = gateOf(era)
  if (status >= 400) return problems(gate.error, body)
  const template = templateOf(`${method.toUpperCase()} ${plainPath(path)}`, gate.replies.keys())
  const validate = template === undefined ? undefined : gate.replies.get(template)
  return validate === undefined ? [`no schema of ${era} for ${method} ${path}`] : problems(validate, body)
}

/** The same for one event of a stream, the JSON after `data: `; an event that is an error is held against the error schema. */
export function validateEvent(era: Era, kind: 'chat' | 'completion', event: unknown): string[] {
  const gate = gateOf(era)
  const failed = typeof event === 'object' && event !== null && 'error' in event
  return problems(failed ? gate.error : gate.events[kind], event)
}

interface Gate {
  replies: ReadonlyMap<string, ValidateFunction>
  events: Readonly<Record<'chat' | 'completion', ValidateFunction>>
  error: ValidateFunction
}

const gates = new Map<Era, Gate>()

function gateOf(era: Era): Gate {
  let gate = gates.get(era)
  if (gate === undefined) {
    gate = build(era)
    gates.set(era, gate)
  }
  return gate
}

function build(era: Era): Gate {
  const cut: Cut = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', `${era}.json`), 'utf8'))
  const schemas = structuredClone(cut.schemas)
  for (const { schema, at, also } of allowances.filter(allowance => allowance.eras.includes(era))) {
    widen(schemas, schema, at, also)
  }
  const ajv = new Ajv2020({ strict: false, validateFormats: false, discriminator: false, allErrors: true })
  ajv.addSchema({ $id: 'spec', components: { schemas } })
  const compile = (schema: JsonSchema) => ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"spec#/')))
  return {
    replies: new Map(Object.entries(cut.replies).map(([operation, schema]) => [operation, compile(schema)])),
    events: { chat: compile(cut.roots.chatEvent), completion: compile(cut.roots.completionEvent) },
    error: compile(cut.roots.error),
  }
}

/** Lets a place of a schema take something more. Throws when the place is gone, so that no allowance outlives its reason. */
function widen(schemas: Record<string, JsonSchema>, name: string, at: readonly string[], also: JsonSchema): void {
  let holder: unknown = schemas[name]
  for (const step of at.slice(0, -1)) holder = isObject(holder) ? holder[step] : undefined
  const last = at.at(-1)
  if (!isObject(holder) || last === undefined || !isObject(holder[last])) {
    throw new Error(`The allowance for ${name} ${at.join('/')} points nowhere.`)
  }
  holder[last] = { anyOf: [holder[last], also] }
}

function problems(validate: ValidateFunction, value: unknown): string[] {
  if (validate(value)) return []
  return [...new Set((validate.errors ?? []).map(readable))]
}

function readable({ instancePath, message = 'is wrong', params }: ErrorObject): string {
  const allowed = Array.isArray(params.allowedValues) ? ` (${params.allowedValues.join(', ')})` : ''
  return `${instancePath === '' ? '/' : instancePath} ${message}${allowed}`
}

/** Without `/v1` and question; an engine's completions and embeddings are those of the path without it. */
function plainPath(path: string): string {
  const plain = path.replace(/\?.*$/, '').replace(/^\/v1(?=\/)/, '')
  return plain.replace(/^\/engines\/[^/]+(?=\/)/, '')
}

/** `GET /models/ada` is `GET /models/{model}`, and so on. Of several the one that names the most steps is meant. */
function templateOf(asked: string, templates: Iterable<string>): string | undefined {
  const given = asked.split('/')
  const literal = (template: string) => template.split('/').filter(step => !step.startsWith('{')).length
  return [...templates]
    .filter(template => {
      const steps = template.split('/')
      return steps.length === given.length && steps.every((step, at) => step.startsWith('{') || step === given[at])
    })
    .sort((a, b) => literal(b) - literal(a))[0]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
