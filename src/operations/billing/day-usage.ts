import { storable } from '../../lib/storable.ts'
import { operation } from '../../platform/operation.ts'
import { imageSources, isMeant, kindOf, type UsageKindName } from '../../platform/reports/kinds.ts'
import { type Group, type Narrowing, tally, together } from '../../platform/reports/tally.ts'
import { usdOf } from '../../platform/usd.ts'
import { DayUsage, DayUsageQuery } from '../../wire/billing.ts'
import { dayMs, dayOf } from './dates.ts'

const widthMs = 300_000

export const listDayUsage = operation<unknown, never, DayUsageQuery>({
  id: 'billing.day_usage',
  method: 'GET',
  path: '/v1/usage',
  summary: 'What the organisation of the key has used on one day, in pieces of five minutes, as tools of 2023 read it.',
  query: DayUsageQuery,
  reply: DayUsage,
  scope: 'usage.read',
  bills: 'nothing',
  async run({ query }, { store, caller, signal }) {
    const fromMs = dayOf('date', query.date)
    const { user_public_id: userId } = query
    const where: Narrowing[] = userId === undefined ? [] : [eb => eb('user_id', '=', storable(userId))]
    const { groups } = await tally(store, {
      organizationId: caller.organizationId,
      fromMs,
      toMs: fromMs + dayMs,
      widthMs,
      by: ['operation', 'model', 'variant'],
      where,
      signal,
    })
    return { kind: 'json', value: dayUsage(groups.sort((one, other) => one.bucketMs - other.bucketMs)) }
  },
})

/** What tokens were used for, in the words of the time. */
const tokenOperations: Partial<Record<UsageKindName, string>> = {
  completions: 'completion',
  embeddings: 'embedding',
  moderations: 'moderation',
}

function dayUsage(groups: readonly Group[]): DayUsage {
  const value: DayUsage = {
    object: 'list',
    data: [],
    ft_data: [],
    dalle_api_data: [],
    whisper_api_data: [],
    tts_api_data: [],
    current_usage_usd: usdOf(groups.reduce((sum, { costNano }) => sum + costNano, 0n)),
  }
  for (const { operation, kind, group } of byKind(groups)) {
    const timestamp = group.bucketMs / 1000
    const model_id = String(group.values[1])
    const counted = { timestamp, model_id, num_requests: group.requests }
    if (kind === 'images')
      value.dalle_api_data.push({
        ...counted,
        num_images: group.quantity,
        image_size: String(group.values[2] ?? '').split(' ', 1)[0] ?? '',
        operation,
      })
    else if (kind === 'audio_transcriptions')
      value.whisper_api_data.push({ ...counted, num_seconds: Math.ceil(group.quantity / 1000) })
    else if (kind === 'audio_speeches') value.tts_api_data.push({ ...counted, num_characters: group.quantity })
    else if (kind in tokenOperations)
      value.data.push({
        aggregation_timestamp: timestamp,
        n_requests: group.requests,
        operation,
        snapshot_id: model_id,
        n_context: group.requests,
        n_context_tokens_total: group.inputTokens,
        n_cached_context_tokens_total: group.cachedTokens,
        n_generated: kind === 'completions' ? group.requests : 0,
        n_generated_tokens_total: group.outputTokens,
      })
  }
  return value
}

interface Entry {
  kind: UsageKindName
  /** In the words of the time. */
  operation: string
  group: Group
}

/** Operations that had one name then, in one. */
function byKind(groups: readonly Group[]): Iterable<Entry> {
  const entries = new Map<string, Entry>()
  for (const group of groups) {
    const [id, model, variant] = group.values
    const kind = kindOf(String(id))
    if (kind === undefined) continue
    const operation = tokenOperations[kind] ?? imageOperation(String(id))
    const name = JSON.stringify([group.bucketMs, kind, operation, model, variant])
    const known = entries.get(name)
    entries.set(name, { kind, operation, group: known === undefined ? group : together(known.group, group) })
  }
  return entries.values()
}

function imageOperation(id: string): string {
  if (isMeant(id, imageSources['image.edit'])) return 'edits'
  return isMeant(id, imageSources['image.variation']) ? 'variations' : 'generations'
}
