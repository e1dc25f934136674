import { systemTimers } from '../../lib/timers.ts'
import { type Context, operation } from '../../platform/operation.ts'
import { doorOf } from '../../platform/upstreams/listing/door.ts'
import { exposedNames } from '../../platform/upstreams/listing/exposed.ts'
import { readModels } from '../../platform/upstreams/listing/read.ts'
import { noteRead } from '../../platform/upstreams/listing/watch.ts'
import type { Upstream } from '../../platform/upstreams/types.ts'
import { list } from '../../wire/lists.ts'
import { unixSecondsOrNull } from '../../wire/organization/common.ts'
import { UpstreamModelList } from '../../wire/upstream-trials.ts'

export const listUpstreamModels = operation<unknown, 'upstream'>({
  id: 'operator.upstreams.models',
  method: 'GET',
  path: '/v1/parlance/upstreams/{upstream}/models',
  summary:
    'Lists the models that an upstream has, as it told them last; it is asked when it never was. For commands on this machine.',
  reply: UpstreamModelList,
  scope: 'operator',
  bills: 'nothing',
  async run({ params: { upstream: name } }, { upstreams, models, clock, signal }) {
    const upstream = upstreams.get(name)
    if (upstreams.findings(name).models === null && upstream.problem === undefined)
      await look(upstream, { upstreams, clock, signal })
    const { health, models: names } = upstreams.findings(name)
    const here = new Set(models.list().flatMap(({ name: model, target }) => (target.ownedBy === name ? [model] : [])))
    const exposed = new Set(exposedNames(upstream, names).filter(model => here.has(model)))
    const data = (names ?? []).map(id => ({ object: 'parlance.upstream_model' as const, id, exposed: exposed.has(id) }))
    const since = { checked_at: unixSecondsOrNull(health.checkedAt), detail: detailOf(health.detail, names === null) }
    return { kind: 'json', value: { ...list(data, false), ...since } satisfies UpstreamModelList }
  },
})

async function look(upstream: Upstream, { upstreams, clock, signal }: Pick<Context, 'upstreams' | 'clock' | 'signal'>) {
  const line = upstreams.line(upstream.name)
  try {
    const read = await readModels(await doorOf(line, signal), { clock, timers: systemTimers, signal })
    noteRead(upstreams, upstream, read, clock.now())
  } finally {
    await line.close()
  }
}

const detailOf = (detail: string | null, isNone: boolean): string | null =>
  detail ?? (isNone ? 'Its list does not say what can be called: Azure OpenAI shows deployments to no key.' : null)
