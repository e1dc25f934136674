import type { Clock } from '../../../lib/clock.ts'
import type { Fault } from '../../../lib/faults.ts'
import type { Upstream, Upstreams } from '../types.ts'
import { failed, ready } from './state.ts'

/** An upstream that is well is not written down more often. */
const quietMs = 1000

/** What faults of requests say of the upstream itself; all others are about the request. */
const troubles: Readonly<Record<string, string>> = {
  upstream_unreachable: 'Requests do not reach it. `parlance upstream test NAME` finds out why.',
  upstream_timeout: 'It did not answer a request in time.',
  upstream_refused_key: 'It refused its key. Set another one: `parlance upstream set NAME --api-key-stdin`.',
  upstream_unavailable: 'It says that it is down or overloaded.',
}

/**
 * Health, as the requests of callers tell it by the way.
 * @returns to be called when a request was answered well (undefined), or has failed
 */
export function passiveHealth(
  upstreams: Pick<Upstreams, 'findings' | 'note'>,
  clock: Clock,
): (upstream: Upstream, reason: Fault | undefined) => void {
  return (upstream, reason) => {
    const detail = reason === undefined ? undefined : troubles[reason.code ?? '']
    if (reason !== undefined && detail === undefined) return
    const { health } = upstreams.findings(upstream.name)
    const nowMs = clock.now()
    const sameAgain = detail === undefined ? health.state === 'ready' : health.detail === inName(detail, upstream)
    if (sameAgain && nowMs - (health.checkedAt ?? 0) < quietMs) return
    upstreams.note(upstream, {
      health: detail === undefined ? ready(health, nowMs) : failed(health, nowMs, inName(detail, upstream)),
    })
  }
}

const inName = (detail: string, { name }: Upstream) => detail.replace('NAME', name)
