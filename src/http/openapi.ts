import type { Operation } from '../platform/operation.ts'
import { ErrorBody } from '../wire/errors.ts'

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
      description: 'The OpenAI platform as software you run.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } }, schemas: { Error: ErrorBody } },
  }
}

function describe(operation: Operation): object {
  const parameters = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const error = {
    description: 'What went wrong, in OpenAI’s form.',
    content: json({ $ref: '#/components/schemas/Error' }),
  }
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(operation.body !== undefined && { requestBody: { required: true, content: json(bodyOf(operation)) } }),
    responses: {
      200: {
        description: 'The reply.',
        content: {
          ...json(operation.reply),
          ...(operation.event !== undefined && { 'text/event-stream': { schema: operation.event } }),
        },
      },
      '4XX': error,
      '5XX': error,
    },
  }
}

/** Where the path names the model, the body need not. */
function bodyOf(operation: Operation): object {
  const { body = {} } = operation
  if (operation.bills !== 'tokens' || operation.modelIn !== 'path' || !('required' in body)) return body
  return { ...body, required: Array.isArray(body.required) ? body.required.filter(name => name !== 'model') : [] }
}

const json = (schema: object) => ({ 'application/json': { schema } })
