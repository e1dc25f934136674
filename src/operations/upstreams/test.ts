import { lookup } from 'node:dns/promises'
import { systemTimers } from '../../lib/timers.ts'
import type { Context } from '../../platform/operation.ts'
import { operation } from '../../platform/operation.ts'
import { type Trial, tryUpstream, untriable } from '../../platform/upstreams/health/trial.ts'
import { doorOf } from '../../platform/upstreams/listing/door.ts'
import { noteRead } from '../../platform/upstreams/listing/watch.ts'
import { whyUnusable } from '../../platform/upstreams/listing/words.ts'
import type { Line, Upstream } from '../../platform/upstreams/types.ts'
import { UpstreamTest, UpstreamTestRequest } from '../../wire/upstream-trials.ts'

export const testUpstream = operation<UpstreamTestRequest, 'upstream'>({
  id: 'operator.upstreams.test',
  method: 'POST',
  path: '/v1/parlance/upstreams/{upstream}/test',
  summary: 'Tries an upstream step by step, with a chat of a few tokens at most. For commands on this machine.',
  body: UpstreamTestRequest,
  strict: true,
  reply: UpstreamTest,
  scope: 'operator',
  bills: 'nothing',
  async run({ body, params: { upstream: name } }, context) {
    const upstream = context.upstreams.get(name)
    const model = body.model ?? named(upstream, context)
    const { ok, steps, read } = await trialOf(upstream, model, context)
    if (read !== undefined) noteRead(context.upstreams, upstream, read, context.clock.now())
    const tried = steps.some(step => step.name === 'chat' && step.ok !== null)
    const of = { upstream: name, model: tried ? (model ?? null) : null }
    return { kind: 'json', value: { object: 'parlance.upstream_test', ...of, ok, steps } satisfies UpstreamTest }
  },
})

async function trialOf(
  upstream: Upstream,
  model: string | undefined,
  { upstreams, clock, signal }: Context,
): Promise<Trial> {
  let line: Line
  try {
    line = upstreams.line(upstream.name)
  } catch (error) {
    return untriable('connect', whyUnusable(error))
  }
  try {
    const door = await doorOf(line, signal).catch(whyUnusable)
    if (typeof door === 'string') return untriable('key', door)
    return await tryUpstream(door, { model, clock, timers: systemTimers, signal, lookup })
  } finally {
    await line.close()
  }
}

/** A model that somebody wants from there: one that is exposed by name, or the first that a route leads to. */
function named({ name, settings: { expose } }: Upstream, { routes }: Pick<Context, 'routes'>): string | undefined {
  if (Array.isArray(expose) && expose[0] !== undefined) return expose[0]
  for (const { model, settings } of routes.list()) {
    const targets = 'targets' in settings ? settings.targets : [settings]
    const target = targets.find(one => one.upstream === name)
    if (target !== undefined) return target.name ?? model
  }
  return undefined
}
