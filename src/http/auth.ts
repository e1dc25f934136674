import type { IncomingHttpHeaders } from 'node:http'
import { fault } from '../lib/faults.ts'
import type { Caller, Keys } from '../platform/keys.ts'

/**
 * The caller behind the credentials of a request: `Authorization: Bearer …`, with `OpenAI-Organization` and `OpenAI-Project` as
 * optional claims that must be true. A promise only when the key has to be looked up.
 * @throws Fault 401, or rejects with it
 */
export function authenticate(headers: IncomingHttpHeaders, keys: Keys): Caller | Promise<Caller> {
  const secret = bearer(headers.authorization)
  const known = secret === undefined ? undefined : keys.recall(secret)
  return known === undefined ? keys.find(secret).then(found => claimed(headers, found)) : claimed(headers, known)
}

function claimed(headers: IncomingHttpHeaders, caller: Caller): Caller {
  const organization = single(headers['openai-organization'])
  if (organization !== undefined && organization !== caller.organizationId && organization !== caller.organizationName)
    throw fault.wrongScope('organization', organization.slice(0, 80))
  const project = single(headers['openai-project'])
  if (project !== undefined && project !== caller.projectId) throw fault.wrongScope('project', project.slice(0, 80))
  return caller
}

function bearer(header: string | undefined): string | undefined {
  const match = header === undefined ? null : /^bearer +(\S{1,512})\s*$/i.exec(header)
  return match?.[1]
}

/** An empty header counts as absent: clients send one when their setting is empty. */
function single(header: string | string[] | undefined): string | undefined {
  const value = Array.isArray(header) ? header[0] : header
  return value === undefined || value.trim() === '' ? undefined : value.trim()
}
