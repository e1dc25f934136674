import type { Context } from '../../platform/operation.ts'
import { operation } from '../../platform/operation.ts'
import { pageOf } from '../../platform/page.ts'
import type { Route as Known } from '../../platform/routes/index.ts'
import { PageQuery, unixSecondsOrNull } from '../../wire/organization/common.ts'
import { Route, RouteDeleted, RouteList } from '../../wire/routes.ts'
import { RouteChanges, RouteRequest } from './asked.ts'

export const listRoutes = operation<unknown, never, PageQuery>({
  id: 'operator.routes.list',
  method: 'GET',
  path: '/v1/parlance/routes',
  summary:
    'Lists the models that upstreams answer for: those of parlance.yaml, then those that were added. For commands on this machine.',
  query: PageQuery,
  reply: RouteList,
  scope: 'operator',
  bills: 'nothing',
  run({ query }, { routes }) {
    const { rows, hasMore } = pageOf(routes.list(), ({ model }) => model, query)
    const [first, last] = [rows[0]?.model ?? null, rows.at(-1)?.model ?? null]
    const data = rows.map(row => shownRoute(row, routes))
    return { kind: 'json', value: { object: 'list', data, first_id: first, last_id: last, has_more: hasMore } }
  },
})

export const createRoute = operation<RouteRequest>({
  id: 'operator.routes.create',
  method: 'POST',
  path: '/v1/parlance/routes',
  summary:
    'Adds a model to the running server, with an entry as `models` has in parlance.yaml: one `upstream`, or several `targets`. For commands on this machine.',
  body: RouteRequest,
  strict: true,
  reply: Route,
  scope: 'operator',
  bills: 'nothing',
  async run({ body: { model, ...settings } }, context) {
    const made = await context.routes.create(context, model, settings)
    return { kind: 'json', value: shownRoute(made, context.routes) }
  },
})

export const retrieveRoute = operation<unknown, 'model'>({
  id: 'operator.routes.retrieve',
  method: 'GET',
  path: '/v1/parlance/routes/{model}',
  summary: 'Shows a route. For commands on this machine.',
  reply: Route,
  scope: 'operator',
  bills: 'nothing',
  run: ({ params }, { routes }) => ({ kind: 'json', value: shownRoute(routes.get(params.model), routes) }),
})

export const updateRoute = operation<RouteChanges, 'model'>({
  id: 'operator.routes.update',
  method: 'POST',
  path: '/v1/parlance/routes/{model}',
  summary:
    'Changes the fields that are named; null takes one away. New requests go by it at once, running ones end as they began. For commands on this machine.',
  body: RouteChanges,
  strict: true,
  reply: Route,
  scope: 'operator',
  bills: 'nothing',
  async run({ params, body }, context) {
    const changed = await context.routes.update(context, params.model, body)
    return { kind: 'json', value: shownRoute(changed, context.routes) }
  },
})

export const deleteRoute = operation<unknown, 'model'>({
  id: 'operator.routes.delete',
  method: 'DELETE',
  path: '/v1/parlance/routes/{model}',
  summary:
    'Deletes a route: its model can be asked no more, and running requests end as they began. For commands on this machine.',
  reply: RouteDeleted,
  scope: 'operator',
  bills: 'nothing',
  async run({ params: { model } }, context) {
    await context.routes.remove(context, model)
    return { kind: 'json', value: { object: 'parlance.route.deleted', model, deleted: true } }
  },
})

function shownRoute(route: Known, routes: Context['routes']): Route & Record<string, unknown> {
  const { model, source, shown, createdAt } = route
  return {
    object: 'parlance.route',
    model,
    source,
    ...shown,
    created_at: unixSecondsOrNull(createdAt),
    problem: routes.problemOf(route) ?? null,
  }
}
