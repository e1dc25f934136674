import Type from 'typebox'
import type { Operation } from '../platform/operation.ts'
import { sessionCookie } from '../platform/sign-in/cookies.ts'
import { ErrorBody } from '../wire/errors.ts'
import { type Shape, shapeOf } from '../wire/walk.ts'

/** The OpenAPI 3.1 document of these operations. TypeBox schemas are JSON Schema, so they are used as they are. */
export function openapi(operations: readonly Operation[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of operations) {
    const path = paths[operation.path] ?? {}
    path[operation.method.toLowerCase()] = describe(operation)
    paths[operation.path] = path
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parlance',
      version,
      description:
        'The OpenAI platform as software you run. Azure’s paths lead to the same operations: `/openai/deployments/{deployment}/…`, `/openai/…` and `/openai/v1/…`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { api_key: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        api_key: { type: 'apiKey', in: 'header', name: 'api-key' },
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie },
      },
      schemas: { Error: ErrorBody },
    },
  }
}

function describe(operation: Operation): object {
  const parameters: object[] = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const { properties = {}, required = [] } = shapeOf(operation.query ?? Type.Object({}))
  for (const [name, schema] of Object.entries(properties))
    parameters.push({ name, in: 'query', required: required.includes(name), schema })
  const error = {
    description: 'What went wrong, in OpenAI’s form.',
    content: json({ $ref: '#/components/schemas/Error' }),
  }
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(operation.scope === 'anyone' && { security: [] }),
    ...(operation.scope === 'person' && { security: [{ session: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(operation.body !== undefined && { requestBody: { required: true, content: contentOf(operation) } }),
    responses: {
      [operation.redirects === true ? 302 : 200]: {
        description: 'The reply.',
        content: {
          [operation.replyType ?? 'application/json']: { schema: operation.reply },
          ...(operation.event !== undefined && { 'text/event-stream': { schema: operation.event } }),
        },
      },
      '4XX': error,
      '5XX': error,
    },
  }
}

/** A form has its file beside the fields. */
function contentOf(operation: Operation): object {
  const body = bodyOf(operation)
  if (operation.form === undefined) return json(body)
  const { properties = {}, required = [], ...rest }: Shape = body
  const { file } = operation.form
  const fields = { [file]: { type: 'string', contentMediaType: 'application/octet-stream' }, ...properties }
  return { 'multipart/form-data': { schema: { ...rest, properties: fields, required: [file, ...required] } } }
}

/** Where the path names the model, the body need not; where nothing unknown may stand, the schema says so. */
function bodyOf(operation: Operation): object {
  const { body = {} } = operation
  if (operation.strict === true) return closed(shapeOf(body))
  if (operation.bills !== 'tokens' || operation.modelIn !== 'path' || !('required' in body)) return body
  return { ...body, required: Array.isArray(body.required) ? body.required.filter(name => name !== 'model') : [] }
}

/** The same schema with no fields but its own, at every depth. */
function closed(schema: Shape): object {
  const { properties, items, anyOf } = schema
  return {
    ...schema,
    ...(items !== undefined && { items: closed(items) }),
    ...(anyOf !== undefined && { anyOf: anyOf.map(closed) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, closed(inner)])),
      additionalProperties: false,
    }),
  }
}

const json = (schema: object) => ({ 'application/json': { schema } })
