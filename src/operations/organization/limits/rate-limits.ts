import { fault } from '../../../lib/faults.ts'
import { type Context, type Operation, operation } from '../../../platform/operation.ts'
import { list } from '../../../wire/lists.ts'
import {
  noRateLimit,
  ProjectRateLimit,
  ProjectRateLimitList,
  ProjectRateLimitQuery,
  ProjectRateLimitUpdate,
} from '../../../wire/organization/limits.ts'
import {
  anyModel,
  changeLimits,
  checkSubject,
  held,
  type Rates,
  ratesIn,
  ratesOf,
  type Subject,
  setRates,
} from './rows.ts'

const listProjectRateLimits = operation<unknown, 'project_id', ProjectRateLimitQuery>({
  id: 'organization.projects.rate_limits.list',
  method: 'GET',
  path: '/v1/organization/projects/{project_id}/rate_limits',
  summary: 'The rate limits of a project: one entry for each model, and `*` for models without limits of their own.',
  query: ProjectRateLimitQuery,
  reply: ProjectRateLimitList,
  scope: 'organization.read',
  projectOwners: true,
  bills: 'nothing',
  async run({ params, query }, context) {
    const subject: Subject = { kind: 'project', id: params.project_id }
    await checkSubject(context, subject, 'look')
    const { data, hasMore } = slice(await all(context, subject), query)
    return { kind: 'json', value: list(data, hasMore) }
  },
})

const updateProjectRateLimit = operation<ProjectRateLimitUpdate, 'project_id' | 'rate_limit_id'>({
  id: 'organization.projects.rate_limits.update',
  method: 'POST',
  path: '/v1/organization/projects/{project_id}/rate_limits/{rate_limit_id}',
  summary:
    'Changes the rate limits of a project for one model. From then on the model is held to its own limits, all of them.',
  body: ProjectRateLimitUpdate,
  strict: true,
  reply: ProjectRateLimit,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body, params }, context) {
    const subject: Subject = { kind: 'project', id: params.project_id }
    await checkSubject(context, subject, 'change')
    const known = await all(context, subject)
    const current = known.find(({ id }) => id === params.rate_limit_id)
    if (current === undefined) throw fault.objectNotFound('rate limit', params.rate_limit_id.slice(0, 100))
    if (Object.keys(body).length === 0) return { kind: 'json', value: current }
    const rows = await ratesOf(context.store, context.caller.organizationId, subject)
    const before = rows.find(({ model }) => model === current.model) ?? rows.find(({ model }) => model === anyModel)
    const rates = { ...ratesIn(before), ...ratesAsked(body) }
    const statements = [...held(context, subject), setRates(context, subject, current.model, rates)]
    await changeLimits(context, subject, statements, {
      type: 'rate_limit.updated',
      subjectId: current.id,
      details: { changes_requested: body },
    })
    return { kind: 'json', value: toRateLimit(current.model, rates) }
  },
})

/** The models by their own names, and those that have limits of their own although they are gone. */
async function all({ store, caller, models }: Context, subject: Subject): Promise<ProjectRateLimit[]> {
  const rows = new Map((await ratesOf(store, caller.organizationId, subject)).map(row => [row.model, row]))
  const names = new Set([...models.list().map(({ target }) => target.name), ...rows.keys()])
  names.delete(anyModel)
  return [anyModel, ...[...names].sort()].map(model =>
    toRateLimit(model, ratesIn(rows.get(model) ?? rows.get(anyModel))),
  )
}

function toRateLimit(model: string, rates: Rates): ProjectRateLimit {
  const { requests_per_minute: requests, tokens_per_minute: tokens } = rates
  const { images_per_minute: images, requests_per_day: requestsPerDay } = rates
  return {
    object: 'project.rate_limit',
    id: idOf(model),
    model,
    max_requests_per_1_minute: requests ?? noRateLimit,
    max_tokens_per_1_minute: tokens ?? noRateLimit,
    ...(images !== null && { max_images_per_1_minute: images }),
    ...(requestsPerDay !== null && { max_requests_per_1_day: requestsPerDay }),
  }
}

/** Names of other letters than ids have are packed, because not every client writes them into a path as it should. */
const idOf = (model: string): string =>
  /^[\w.-]+$/.test(model) ? `rl-${model}` : `rl_${Buffer.from(model).toString('base64url')}`

function ratesAsked(body: ProjectRateLimitUpdate): Partial<Rates> {
  const {
    max_requests_per_1_minute: requests,
    max_tokens_per_1_minute: tokens,
    max_images_per_1_minute: images,
    max_requests_per_1_day: requestsPerDay,
  } = body
  const limit = (most: number) => (most === noRateLimit ? null : most)
  return {
    ...(requests !== undefined && { requests_per_minute: limit(requests) }),
    ...(tokens !== undefined && { tokens_per_minute: limit(tokens) }),
    ...(images !== undefined && { images_per_minute: limit(images) }),
    ...(requestsPerDay !== undefined && { requests_per_day: limit(requestsPerDay) }),
  }
}

/** @throws Fault 400 for a cursor that is not in the list */
function slice(
  entries: readonly ProjectRateLimit[],
  { after, before, limit = 100 }: ProjectRateLimitQuery,
): { data: ProjectRateLimit[]; hasMore: boolean } {
  const place = (param: 'after' | 'before', id: string): number => {
    const index = entries.findIndex(entry => entry.id === id)
    if (index === -1) throw fault.unknownCursor(param, id.slice(0, 80))
    return index
  }
  const start = after === undefined ? 0 : place('after', after) + 1
  const end = before === undefined ? entries.length : place('before', before)
  const rest = entries.slice(start, end)
  const fromEnd = before !== undefined && after === undefined
  return { data: fromEnd ? rest.slice(-limit) : rest.slice(0, limit), hasMore: rest.length > limit }
}

export const rateLimitOperations: readonly Operation[] = [listProjectRateLimits, updateProjectRateLimit]
