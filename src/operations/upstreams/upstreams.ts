import { placeOf } from '../../engines/upstream/kinds/index.ts'
import type { Context } from '../../platform/operation.ts'
import { operation } from '../../platform/operation.ts'
import { pageOf } from '../../platform/page.ts'
import type { Upstream as Known } from '../../platform/upstreams/index.ts'
import { PageQuery, unixSecondsOrNull } from '../../wire/organization/common.ts'
import { Upstream, UpstreamDeleted, UpstreamList } from '../../wire/upstreams.ts'
import { UpstreamChanges, UpstreamRequest } from './asked.ts'

export const listUpstreams = operation<unknown, never, PageQuery>({
  id: 'operator.upstreams.list',
  method: 'GET',
  path: '/v1/parlance/upstreams',
  summary:
    'Lists the upstreams of this server: those of parlance.yaml, then those that were added. For commands on this machine.',
  query: PageQuery,
  reply: UpstreamList,
  scope: 'operator',
  bills: 'nothing',
  run({ query }, { upstreams }) {
    const { rows, hasMore } = pageOf(upstreams.list(), ({ name }) => name, query)
    const [first, last] = [rows[0]?.name ?? null, rows.at(-1)?.name ?? null]
    const data = rows.map(row => shownUpstream(row, upstreams))
    return { kind: 'json', value: { object: 'list', data, first_id: first, last_id: last, has_more: hasMore } }
  },
})

export const createUpstream = operation<UpstreamRequest>({
  id: 'operator.upstreams.create',
  method: 'POST',
  path: '/v1/parlance/upstreams',
  summary:
    'Adds an upstream to the running server, with the settings that parlance.yaml has for one; its secrets are kept encrypted. For commands on this machine.',
  body: UpstreamRequest,
  strict: true,
  reply: Upstream,
  scope: 'operator',
  bills: 'nothing',
  async run({ body: { name, ...settings } }, context) {
    return {
      kind: 'json',
      value: shownUpstream(await context.upstreams.create(context, name, settings), context.upstreams),
    }
  },
})

export const retrieveUpstream = operation<unknown, 'upstream'>({
  id: 'operator.upstreams.retrieve',
  method: 'GET',
  path: '/v1/parlance/upstreams/{upstream}',
  summary: 'Shows an upstream, its secrets shortened. For commands on this machine.',
  reply: Upstream,
  scope: 'operator',
  bills: 'nothing',
  run: ({ params }, { upstreams }) => ({
    kind: 'json',
    value: shownUpstream(upstreams.get(params.upstream), upstreams),
  }),
})

export const updateUpstream = operation<UpstreamChanges, 'upstream'>({
  id: 'operator.upstreams.update',
  method: 'POST',
  path: '/v1/parlance/upstreams/{upstream}',
  summary:
    'Changes the fields that are named; null takes one away. New requests go by it at once, running ones end as they began. For commands on this machine.',
  body: UpstreamChanges,
  strict: true,
  reply: Upstream,
  scope: 'operator',
  bills: 'nothing',
  async run({ params, body }, context) {
    const changed = await context.upstreams.update(context, params.upstream, body)
    return { kind: 'json', value: shownUpstream(changed, context.upstreams) }
  },
})

export const deleteUpstream = operation<unknown, 'upstream'>({
  id: 'operator.upstreams.delete',
  method: 'DELETE',
  path: '/v1/parlance/upstreams/{upstream}',
  summary: 'Deletes an upstream that no route uses. For commands on this machine.',
  reply: UpstreamDeleted,
  scope: 'operator',
  bills: 'nothing',
  async run({ params: { upstream: name } }, context) {
    await context.upstreams.remove(context, name)
    return { kind: 'json', value: { object: 'parlance.upstream.deleted', name, deleted: true } }
  },
})

function shownUpstream(upstream: Known, upstreams: Context['upstreams']): Upstream & Record<string, unknown> {
  const { name, source, settings, shown, createdAt } = upstream
  const { health, models } = upstreams.findings(name)
  const { kind, baseUrl } = placeOf(settings)
  return {
    object: 'parlance.upstream',
    name,
    source,
    ...shown,
    kind: kind.name,
    base_url: baseUrl,
    created_at: unixSecondsOrNull(createdAt),
    health: {
      state: health.state,
      checked_at: unixSecondsOrNull(health.checkedAt),
      latency_ms: health.latencyMs,
      detail: health.detail,
    },
    models: models?.length ?? null,
  }
}
