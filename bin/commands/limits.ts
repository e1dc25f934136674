import { limitColumns } from '../../src/platform/limits/kinds.ts'
import { tiers } from '../../src/platform/limits/presets.ts'
import {
  LimitsPresetSet,
  type Rates,
  SubjectLimits,
  SubjectLimitsDeleted,
  SubjectLimitsList,
} from '../../src/wire/organization/limits.ts'
import type { Call } from '../calling.ts'
import { projectNamed } from '../named.ts'
import { Refused, UsageError } from '../run.ts'
import { table } from '../table.ts'
import { choice, count, dollars, plain, usd } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance limits: how much may be asked, and how much may be spent. Without limits there are none.

  limits list              All limits.
  limits set               Set the limits that are named; others stay. \`none\` takes one away.
      --hard USD           Not more is spent in a calendar month (UTC).
      --soft USD           Beyond it in a month, people are told.
      --model M            Whom the following are about. Default: each model by itself that has no
                           limits of its own.
      --requests-per-minute N, --tokens-per-minute N, --requests-per-day N, --tokens-per-day N,
      --images-per-minute N, --concurrent-requests N
  limits preset TIER       Those of OpenAI's tiers for the models that are here:
                           ${tiers.join(', ')}.
  limits clear             Take all limits away.
      --model M            Only the rates of this model (* for the general ones).

  With set, preset and clear, who is limited; by default the organisation:
      --project P, --key ID, --end-user U (the \`user\` of requests; * for each of them; --hard alone)

  With each: --json, --organization NAME, --data-dir FOLDER.
`

const whom = { project: 'text', key: 'text', 'end-user': 'text' } as const
/** `requests-per-minute` and all others. */
const optionOf = (column: (typeof limitColumns)[number]): string => column.replaceAll('_', '-')
const rateOptions: Record<string, 'text'> = Object.fromEntries(limitColumns.map(column => [optionOf(column), 'text']))
const setOptions: Record<string, 'text'> = { ...rateOptions, ...whom, model: 'text', hard: 'text', soft: 'text' }
const presetOptions = { project: 'text', key: 'text' } as const
const clearOptions = { ...whom, model: 'text' } as const

export const run = command(
  'limits',
  {
    list: verb({ run: list }),
    set: verb({ options: setOptions, run: set }),
    preset: verb({ takes: ['TIER'], options: presetOptions, run: preset }),
    clear: verb({ options: clearOptions, run: clear }),
  },
  'list',
)

/** In the API's words. */
interface Subject {
  subject: 'organization' | 'project' | 'key' | 'end_user'
  subject_id?: string
}

async function subjectOf(call: Call, text: (name: keyof typeof whom) => string | undefined): Promise<Subject> {
  const [project, key, user] = [text('project'), text('key'), text('end-user')]
  if ([project, key, user].filter(one => one !== undefined).length > 1)
    throw new UsageError('Name one of --project, --key and --end-user: limits are set for one after another.')
  if (project !== undefined) return { subject: 'project', subject_id: (await projectNamed(call, project)).id }
  if (key !== undefined) return { subject: 'key', subject_id: key }
  return user === undefined ? { subject: 'organization' } : { subject: 'end_user', subject_id: user }
}

async function list({ call, print }: Told): Promise<void> {
  const limits = await everyItem(call, 'organization.limits.list', { reply: SubjectLimitsList, itemsOf: page => page })
  print(limits, () => (limits.length === 0 ? 'No limits are set. `parlance help limits` says how.\n' : shown(limits)))
}

async function set({ call, text, print }: Told<typeof setOptions>): Promise<void> {
  const subject = await subjectOf(call, text)
  const money = (name: 'hard' | 'soft') => {
    const amount = text(name)
    return amount === undefined ? {} : { [`${name}_limit_usd`]: amount === 'none' ? null : usd(`--${name}`, amount) }
  }
  const given = limitColumns.flatMap(column => {
    const most = text(optionOf(column))
    return most === undefined ? [] : [[column, most === 'none' ? null : count(`--${optionOf(column)}`, most)] as const]
  })
  const model = text('model')
  if (given.length === 0 && model !== undefined)
    throw new UsageError('Which limit of the model? Name one, such as --requests-per-minute 60.')
  const rates =
    given.length === 0 ? {} : { rates: [{ model: model ?? '*', ...Object.fromEntries(given) }], merge_rates: true }
  const amounts = { ...money('hard'), ...money('soft') }
  if (Object.keys({ ...amounts, ...rates }).length === 0)
    throw new UsageError(
      'Which limit? Name one, such as --hard 20 or --requests-per-minute 60; `parlance help limits` has all.',
    )
  const body = { ...subject, ...amounts, ...rates }
  const limits = await call('organization.limits.update', { body, reply: SubjectLimits }).catch(keyUnknown(subject))
  print(limits, () => shown([limits]))
}

async function preset({ call, text, words: [asked = ''], print, note }: Told<typeof presetOptions>): Promise<void> {
  const tier = choice('The tier', asked, tiers)
  const subject = await subjectOf(call, name => (name === 'end-user' ? undefined : text(name)))
  const set = await call('organization.limits.preset', {
    body: { preset: tier, ...subject },
    reply: LimitsPresetSet,
  }).catch(keyUnknown(subject))
  print(set, () => shown([set]))
  if (set.not_here.length > 0) note(`Not set, because these models are not here: ${set.not_here.join(', ')}.`)
}

async function clear({ call, text, print }: Told<typeof clearOptions>): Promise<void> {
  const subject = await subjectOf(call, text)
  const model = text('model')
  if (model !== undefined) {
    const body = { ...subject, rates: [{ model }] }
    const limits = await call('organization.limits.update', { body, reply: SubjectLimits }).catch(keyUnknown(subject))
    return print(limits, () => shown([limits]))
  }
  const gone = await call('organization.limits.delete', { query: { ...subject }, reply: SubjectLimitsDeleted }).catch(
    (error: unknown) => {
      if (error instanceof Refused && error.status === 404)
        throw new UsageError(
          'There is nothing to clear: it has no limits. `parlance limits list` shows all that are set.',
        )
      throw error
    },
  )
  print(gone, () => `Its limits are taken away (${plain(gone.id)}).\n`)
}

/** For `catch`: where to look for keys. */
const keyUnknown =
  ({ subject, subject_id: id = '' }: Subject) =>
  (error: unknown): never => {
    if (subject === 'key' && error instanceof Refused && error.status === 404 && error.message.includes(id))
      throw new UsageError(`There is no key '${plain(id)}'. \`parlance keys list\` shows them.`)
    throw error
  }

/** A line for the money of each subject and for each model. */
function shown(limits: readonly SubjectLimits[]): string {
  const amount = (value: number | null) => (value === null ? '' : dollars(value))
  const number = (value: number | null) => (value === null ? '' : String(value))
  const rows = limits.flatMap(({ subject, subject_id: id, hard_limit_usd: hard, soft_limit_usd: soft, rates }) => {
    const who = [subject.replace('_', ' '), plain(id)]
    const money = hard === null && soft === null ? [] : [[...who, '', amount(hard), amount(soft)]]
    const row = (rate: Rates) => [
      ...who,
      plain(rate.model),
      '',
      '',
      ...limitColumns.map(column => number(rate[column])),
    ]
    return [...money, ...rates.map(row)]
  })
  if (rows.length === 0) return 'It has no limits.\n'
  const heading = [
    'WHO',
    'ID',
    'MODEL',
    'HARD',
    'SOFT',
    'REQ/MIN',
    'REQ/DAY',
    'TOK/MIN',
    'TOK/DAY',
    'IMG/MIN',
    'AT ONCE',
  ]
  return table([heading, ...rows.map(cells => heading.map((_, place) => cells[place] ?? ''))])
}
