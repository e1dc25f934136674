import type { Static } from 'typebox'
import { fits } from '../../src/wire/check.ts'
import { OperatorKeyList } from '../../src/wire/operator.ts'
import { pageOf, SummaryResult } from '../../src/wire/organization/usage.ts'
import type { Call } from '../calling.ts'
import { everyProject, everyUser } from '../named.ts'
import { UsageError } from '../run.ts'
import { table } from '../table.ts'
import { choice, day, dollars, moment, plain, until } from '../values.ts'
import { everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance usage: what was used, and what it has cost.

  usage
      --by WHAT            day (default), model, key, user or project.
      --from DATE          Default: the first of this month. Days are those of UTC.
      --to DATE            The last day. Default: today.

  With it: --json, --organization NAME, --data-dir FOLDER.
`

const options = { by: 'text', from: 'text', to: 'text' } as const
const splits = ['day', 'model', 'key', 'user', 'project'] as const
type Split = (typeof splits)[number]
/** What the API calls them. */
const groups = { model: 'model', key: 'api_key_id', user: 'user_id', project: 'project_id' } as const

export async function run(args: string[]): Promise<number> {
  await verb({ options, run: report }).run('usage', args)
  return 0
}

/** What belongs together. */
interface Line {
  /** A day, or the name of a model, or an id; null: of nobody, such as the user of a service account's requests. */
  id: string | null
  name: string
  requests: number
  input_tokens: number
  cached_input_tokens: number
  output_tokens: number
  nano: bigint
}

async function report({ call, text, print, nowMs }: Told<typeof options>): Promise<void> {
  const by = choice('--by', text('by') ?? 'day', splits)
  const [from, to] = [text('from'), text('to')]
  const now = new Date(nowMs)
  const startMs = from === undefined ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth()) : moment('--from', from)
  const endMs = to === undefined ? undefined : until('--to', to)
  if ((endMs ?? nowMs) <= startMs)
    throw new UsageError('Nothing lies between --from and --to: the end must come after the beginning.')
  const lines = await linesOf(
    call,
    by,
    Math.floor(startMs / 1000),
    endMs === undefined ? undefined : Math.floor(endMs / 1000),
  )
  const names = await namesOf(call, by)
  const named = [...lines.values()].map(line => ({ ...line, name: names.get(line.id ?? '') ?? line.id ?? 'none' }))
  const all =
    by === 'day'
      ? named
      : named.sort((one, other) =>
          other.nano > one.nano ? 1 : other.nano < one.nano ? -1 : other.requests - one.requests,
        )
  print(
    all.map(({ nano, id, name, ...counts }) => ({ [by]: id, name, ...counts, cost_usd: Number(nano) / 1e9 })),
    () => (all.length === 0 ? 'Nothing was used.\n' : shown(by, all)),
  )
}

async function linesOf(call: Call, by: Split, start: number, end: number | undefined): Promise<Map<string, Line>> {
  const lines = new Map<string, Line>()
  const asked = { start_time: start, end_time: end, limit: 180, ...(by !== 'day' && { group_by: [groups[by]] }) }
  let page: string | undefined
  do {
    const { data, next_page: next }: Static<typeof Page> = await call('organization.usage', {
      query: { ...asked, page },
      reply: Page,
    })
    for (const { start_time: at, results } of data)
      for (const result of results)
        if (fits(SummaryResult, result)) add(lines, by === 'day' ? day(at) : result[groups[by]], result)
    page = next ?? undefined
  } while (page !== undefined)
  return lines
}

const Page = pageOf(SummaryResult)

function add(lines: Map<string, Line>, id: string | null, result: SummaryResult): void {
  const name = id ?? ''
  const line = lines.get(name) ?? {
    id,
    name,
    ...{ requests: 0, input_tokens: 0, cached_input_tokens: 0, output_tokens: 0 },
    nano: 0n,
  }
  lines.set(name, {
    id,
    name,
    requests: line.requests + result.num_model_requests,
    input_tokens: line.input_tokens + result.input_tokens,
    cached_input_tokens: line.cached_input_tokens + result.input_cached_tokens,
    output_tokens: line.output_tokens + result.output_tokens,
    nano: line.nano + BigInt(Math.round(result.amount.value * 1e9)),
  })
}

/** What people call those with an id. */
async function namesOf(call: Call, by: Split): Promise<Map<string, string>> {
  if (by === 'project') return new Map((await everyProject(call, true)).map(({ id, name }) => [id, name]))
  if (by === 'user') return new Map((await everyUser(call)).map(({ id, email }) => [id, email]))
  if (by !== 'key') return new Map()
  const keys = await everyItem(call, 'operator.keys.list', { reply: OperatorKeyList, itemsOf: page => page })
  return new Map(keys.map(({ id, name }) => [id, name]))
}

function shown(by: Split, lines: readonly Line[]): string {
  const hasIds = by !== 'day' && by !== 'model'
  const row = (line: Line) => [
    ...[plain(line.name), ...(hasIds ? [line.id ?? ''] : []), String(line.requests), String(line.input_tokens)],
    ...[String(line.cached_input_tokens), String(line.output_tokens), dollars(Number(line.nano) / 1e9)],
  ]
  const sum = (of: (line: Line) => number) => lines.reduce((total, line) => total + of(line), 0)
  const all: Line = {
    id: '',
    name: 'all',
    requests: sum(line => line.requests),
    input_tokens: sum(line => line.input_tokens),
    cached_input_tokens: sum(line => line.cached_input_tokens),
    output_tokens: sum(line => line.output_tokens),
    nano: lines.reduce((total, { nano }) => total + nano, 0n),
  }
  const heading = [by.toUpperCase(), ...(hasIds ? ['ID'] : []), 'REQUESTS', 'INPUT', 'OF IT CACHED', 'OUTPUT', 'USD']
  return table([heading, ...lines.map(row), row(all)])
}
