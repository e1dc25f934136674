/**
 * Cuts the schemas that the tests need out of OpenAI's published OpenAPI files and writes them as small JSON files:
 *
 *     node test/spec/cut.ts openapi-2026-08-21-newest.json openapi-2024-12-18-assistants-v2.yaml ...
 *
 * The date in a file's name becomes the name of the fixture. The files come from the history of
 * https://github.com/openai/openai-openapi (MIT, `fixtures/LICENSE.openai-openapi`), at the commits below.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { type JsonSchema, normalise, references } from './normalise.ts'

const commits: Readonly<Record<string, string>> = {
  '2026-08-21': 'f85dbe223d40e1a31cba812ab2d755c7e98a92a3',
  '2024-12-18': '3b49d5d217ee',
  '2023-11-28': '348b4691eded',
  '2023-06-19': '1d47e5b8e03f',
}

const operations = [
  ['POST', '/chat/completions'],
  ['POST', '/completions'],
  ['POST', '/embeddings'],
  ['GET', '/models'],
  ['GET', '/models/{model}'],
] as const

/** Operations that only the newer or only the older files have. */
const sometimes = [
  ['GET', '/chat/completions'],
  ['GET', '/chat/completions/{completion_id}'],
  ['POST', '/chat/completions/{completion_id}'],
  ['DELETE', '/chat/completions/{completion_id}'],
  ['GET', '/chat/completions/{completion_id}/messages'],
  ['POST', '/edits'],
  ['POST', '/batches'],
  ['GET', '/batches'],
  ['GET', '/batches/{batch_id}'],
  ['POST', '/batches/{batch_id}/cancel'],
  ['GET', '/engines'],
  ['GET', '/engines/{engine_id}'],
  ['GET', '/files'],
  ['POST', '/files'],
  ['GET', '/files/{file_id}'],
  ['DELETE', '/files/{file_id}'],
  ['POST', '/uploads'],
  ['POST', '/uploads/{upload_id}/parts'],
  ['POST', '/uploads/{upload_id}/complete'],
  ['POST', '/uploads/{upload_id}/cancel'],
  ['GET', '/organization/admin_api_keys'],
  ['POST', '/organization/admin_api_keys'],
  ['GET', '/organization/admin_api_keys/{key_id}'],
  ['DELETE', '/organization/admin_api_keys/{key_id}'],
  ['GET', '/organization/users'],
  ['GET', '/organization/users/{user_id}'],
  ['POST', '/organization/users/{user_id}'],
  ['DELETE', '/organization/users/{user_id}'],
  ['GET', '/organization/invites'],
  ['POST', '/organization/invites'],
  ['GET', '/organization/invites/{invite_id}'],
  ['DELETE', '/organization/invites/{invite_id}'],
  ['GET', '/organization/projects'],
  ['POST', '/organization/projects'],
  ['GET', '/organization/projects/{project_id}'],
  ['POST', '/organization/projects/{project_id}'],
  ['POST', '/organization/projects/{project_id}/archive'],
  ['GET', '/organization/projects/{project_id}/users'],
  ['POST', '/organization/projects/{project_id}/users'],
  ['GET', '/organization/projects/{project_id}/users/{user_id}'],
  ['POST', '/organization/projects/{project_id}/users/{user_id}'],
  ['DELETE', '/organization/projects/{project_id}/users/{user_id}'],
  ['GET', '/organization/projects/{project_id}/service_accounts'],
  ['POST', '/organization/projects/{project_id}/service_accounts'],
  ['GET', '/organization/projects/{project_id}/service_accounts/{service_account_id}'],
  ['POST', '/organization/projects/{project_id}/service_accounts/{service_account_id}'],
  ['DELETE', '/organization/projects/{project_id}/service_accounts/{service_account_id}'],
  ['POST', '/organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys'],
  ['GET', '/organization/projects/{project_id}/api_keys'],
  ['GET', '/organization/projects/{project_id}/api_keys/{api_key_id}'],
  ['DELETE', '/organization/projects/{project_id}/api_keys/{api_key_id}'],
  ['GET', '/organization/audit_logs'],
  ['GET', '/organization/usage/completions'],
  ['GET', '/organization/usage/embeddings'],
  ['GET', '/organization/usage/moderations'],
  ['GET', '/organization/usage/images'],
  ['GET', '/organization/usage/audio_speeches'],
  ['GET', '/organization/usage/audio_transcriptions'],
  ['GET', '/organization/usage/vector_stores'],
  ['GET', '/organization/usage/code_interpreter_sessions'],
  ['GET', '/organization/costs'],
  ['GET', '/organization/spend_limit'],
  ['POST', '/organization/spend_limit'],
  ['DELETE', '/organization/spend_limit'],
  ['GET', '/organization/projects/{project_id}/spend_limit'],
  ['POST', '/organization/projects/{project_id}/spend_limit'],
  ['DELETE', '/organization/projects/{project_id}/spend_limit'],
  ['GET', '/organization/projects/{project_id}/rate_limits'],
  ['POST', '/organization/projects/{project_id}/rate_limits/{rate_limit_id}'],
] as const

/**
 * Schemas that no JSON reply refers to. OpenAI has none for an event of a streamed completion: it says that events look like
 * replies, so that schema is copied under a name of its own, and can differ where events do.
 */
const roots = {
  chatEvent: 'CreateChatCompletionStreamResponse',
  completionEvent: 'CompletionEvent',
  error: 'ErrorResponse',
}
const copies: Readonly<Record<string, string>> = { CompletionEvent: 'CreateCompletionResponse' }

export interface Cut {
  source: string
  replies: Record<string, JsonSchema>
  roots: Record<keyof typeof roots, JsonSchema>
  schemas: Record<string, JsonSchema>
}

interface Spec {
  paths: Record<string, Record<string, { responses: Record<string, { content: Record<string, { schema: unknown }> }> }>>
  components: { schemas: Record<string, unknown> }
}

if (import.meta.main) {
  for (const file of process.argv.slice(2)) await write(file)
}

async function write(file: string): Promise<void> {
  const date = /\d{4}-\d\d-\d\d/.exec(basename(file))?.[0]
  const commit = date === undefined ? undefined : commits[date]
  if (date === undefined || commit === undefined) throw new Error(`No commit is known for ${basename(file)}.`)
  const spec: Spec = parse(await readFile(file, 'utf8'), { maxAliasCount: -1 })
  const made = cut(spec, `openai/openai-openapi@${commit} (MIT, see LICENSE.openai-openapi)`)
  await writeFile(join(import.meta.dirname, 'fixtures', `${date}.json`), `${JSON.stringify(made, null, 1)}\n`)
}

/** The replies of the operations, the roots, and every schema that these reach. */
export function cut(spec: Spec, source: string): Cut {
  const replies = Object.fromEntries(
    [
      ...operations,
      ...sometimes.filter(([method, path]) => spec.paths[path]?.[method.toLowerCase()] !== undefined),
    ].map(([method, path]) => {
      const response = spec.paths[path]?.[method.toLowerCase()]?.responses['200']
      const schema = response?.content['application/json']?.schema
      if (schema === undefined) throw new Error(`${method} ${path} has no reply.`)
      return [`${method} ${path}`, normalise(schema)]
    }),
  )
  const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })
  const named = {
    chatEvent: reference(roots.chatEvent),
    completionEvent: reference(roots.completionEvent),
    error: reference(roots.error),
  }
  const schemas: Record<string, JsonSchema> = {}
  const waiting = [...Object.values(replies), ...Object.values(named)].flatMap(references)
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (Object.hasOwn(schemas, name)) continue
    const schema = normalise(spec.components.schemas[copies[name] ?? name])
    schemas[name] = schema
    waiting.push(...references(schema))
  }
  return { source, replies, roots: named, schemas }
}
