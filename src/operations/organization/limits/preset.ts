import { type LimitColumn, limitColumns } from '../../../platform/limits/kinds.ts'
import { type PresetRow, presetRows } from '../../../platform/limits/presets.ts'
import { type Operation, operation } from '../../../platform/operation.ts'
import { LimitsPreset, LimitsPresetSet } from '../../../wire/organization/limits.ts'
import { changeLimits, checkSubject, held, type Rates, setRates } from './rows.ts'
import { contextFor, limitsOf, subjectOf } from './subject-limits.ts'

const setPreset = operation<LimitsPreset>({
  id: 'organization.limits.preset',
  method: 'POST',
  path: '/v1/organization/limits/preset',
  summary: 'Sets the limits of a tier for those of its models that are here; all other limits stay. An extension.',
  body: LimitsPreset,
  strict: true,
  reply: LimitsPresetSet,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, asker) {
    const subject = subjectOf(body, asker)
    const context = await contextFor(asker, subject, true)
    const { store, caller, models } = context
    await checkSubject(context, subject, 'change')
    const targets = new Map(models.list().map(({ name, target }) => [name, target.name]))
    const { rates, missing } = ratesHere(presetRows(body.preset), targets)
    if (rates.size > 0) {
      const statements = [...rates].map(([model, row]) => setRates(context, subject, model, row))
      const details = { subject: subject.kind, changes_requested: { preset: body.preset } }
      const change = { type: 'limits.updated', subjectId: subject.id, details }
      await changeLimits(context, subject, [...held(context, subject), ...statements], change, asker)
    }
    const limits = await limitsOf(store, caller.organizationId, subject)
    return { kind: 'json', value: { ...limits, not_here: missing } satisfies LimitsPresetSet }
  },
})

/**
 * By what answers here. A model that the tier knows under several names gets the strictest of their limits, unless one is its own.
 * @param targets what answers, by every name that it has
 */
export function ratesHere(
  rows: readonly PresetRow[],
  targets: ReadonlyMap<string, string>,
): { rates: Map<string, Rates>; missing: string[] } {
  const rates = new Map<string, Rates>()
  for (const { model, ...row } of rows) {
    const target = targets.get(model)
    const isNamedElse = target !== model && rows.some(other => other.model === target)
    if (target === undefined || isNamedElse) continue
    rates.set(target, stricter(rates.get(target), row))
  }
  return { rates, missing: rows.map(({ model }) => model).filter(model => !targets.has(model)) }
}

function stricter(one: Rates | undefined, other: Rates): Rates {
  const of = (column: LimitColumn): number | null => {
    const most = [one?.[column] ?? null, other[column]].filter(limit => limit !== null)
    return most.length === 0 ? null : Math.min(...most)
  }
  return { ...other, ...Object.fromEntries(limitColumns.map(column => [column, of(column)])) }
}

export const presetOperations: readonly Operation[] = [setPreset]
