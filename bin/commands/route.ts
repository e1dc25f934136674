import { policyNames } from '../../src/engines/routed/policies.ts'
import { Route, RouteDeleted, RouteList } from '../../src/wire/routes.ts'
import { Refused, UsageError } from '../run.ts'
import { table } from '../table.ts'
import { choice, dollars, minute, plain } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'
import { priceAsked } from './upstream.ts'

export const help = `parlance route: models, by the name that clients use, and the upstreams that answer for them.

  route add MODEL          Add one. Clients can ask for it at once.
      --to UPSTREAM[/NAME][=WEIGHT]
                           Who answers, and what the model is called there (default: the same name);
                           once for each. --to east --to west/gpt-4o-2024-08-06=2
      --policy POLICY      Who is asked first: ${policyNames.join(', ')}. Default: priority.
      --input USD          What a million tokens of the input cost, --output USD of the output,
                           --cached-input USD of input that came from a cache. Zero is a price;
                           without one a model cannot be called.
  route list               All routes.
  route show MODEL         One of them.
  route rm MODEL           Remove it.

  With each: --json, --data-dir FOLDER. Limits, headers and the like of a target: docs/routing.md.
`

const addOptions = {
  ...({ to: 'texts', policy: 'text', input: 'text', 'cached-input': 'text', output: 'text' } as const),
}

export const run = command(
  'route',
  {
    list: verb({ of: 'server', run: list }),
    add: verb({ takes: ['MODEL'], options: addOptions, of: 'server', run: add }),
    show: verb({ takes: ['MODEL'], of: 'server', run: show }),
    rm: verb({ takes: ['MODEL'], of: 'server', run: remove }),
  },
  'list',
)

interface Asked {
  upstream: string
  name?: string
  weight?: number
}

async function add(told: Told<typeof addOptions>): Promise<void> {
  const {
    call,
    text,
    texts,
    print,
    note,
    words: [model = ''],
  } = told
  const targets = (texts('to') ?? []).map(targetOf)
  const [first, ...others] = targets
  if (first === undefined) throw new UsageError('Who answers for it? --to UPSTREAM, or --to UPSTREAM/NAME-THERE.')
  const policy = text('policy')
  const price = priceAsked(text)
  if (price === null) throw new UsageError('--input is an amount in dollars, such as 0.15.')
  const isPlain = others.length === 0 && policy === undefined && first.weight === undefined
  const body = {
    model,
    ...(isPlain ? first : { targets }),
    ...(policy !== undefined && { policy: choice('--policy', policy, policyNames) }),
    ...(price !== undefined && { price }),
  }
  const made = await call('operator.routes.create', { body, reply: Route })
  print(made, () => shown([made]))
  if (price === undefined)
    note(
      `Without a price it cannot be called, unless the setting \`prices: classic\` knows one: \`parlance prices set ${plain(model)} --input 0.15 --output 0.6\`.`,
    )
}

/** `east`, `east/gpt-4o`, `east/org/model=3`. */
function targetOf(text: string): Asked {
  const [, where = '', weight] = /^(.*?)(?:=(\d+(?:\.\d+)?))?$/.exec(text) ?? []
  const slash = where.indexOf('/')
  const upstream = slash < 0 ? where : where.slice(0, slash)
  const name = slash < 0 ? undefined : where.slice(slash + 1)
  if (upstream === '' || name === '')
    throw new UsageError(`--to is UPSTREAM[/NAME][=WEIGHT], such as east/gpt-4o=2, not '${text}'.`)
  return { upstream, ...(name !== undefined && { name }), ...(weight !== undefined && { weight: Number(weight) }) }
}

async function list({ call, print }: Told): Promise<void> {
  const data = await everyItem(call, 'operator.routes.list', { reply: RouteList, itemsOf: page => page })
  print(data, () =>
    data.length === 0 ? 'No routes. `parlance route add MODEL --to UPSTREAM` adds one.\n' : shown(data),
  )
}

async function show({ call, print, words: [model = ''] }: Told): Promise<void> {
  const route = await known(model, call('operator.routes.retrieve', { params: { model }, reply: Route }))
  print(route, () => {
    const { object: _, targets, ...settings } = route
    const rows = Object.entries(settings).flatMap(([field, value]) =>
      value === null || value === undefined ? [] : [[field.replaceAll('_', ' '), inWords(field, value)]],
    )
    for (const target of targets ?? []) rows.push(['target', inWords('target', target)])
    return table(rows)
  })
}

const shown = (routes: readonly Route[]): string =>
  table([['MODEL', 'TO', 'POLICY', 'USD', 'FROM', 'CREATED'], ...routes.map(row)])

function row(route: Route): string[] {
  const { model, policy, price, source, created_at: created } = route
  const targets: readonly Asked[] = route.targets ?? [
    { upstream: route.upstream ?? '', ...(route.name !== undefined && { name: route.name }) },
  ]
  const to = targets.map(({ upstream, name, weight }) =>
    plain(`${upstream}${name === undefined ? '' : `/${name}`}${weight === undefined ? '' : `=${weight}`}`),
  )
  const many = route.targets !== undefined
  return [
    plain(model),
    to.join(', '),
    many ? (policy ?? 'priority') : '',
    price === undefined ? '' : inWords('price', price),
    source === 'file' ? 'parlance.yaml' : 'here',
    minute(created),
  ]
}

function inWords(field: string, value: unknown): string {
  if (field === 'created_at' && typeof value === 'number') return minute(value)
  if (field === 'price' && typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([name, amount]) =>
        typeof amount === 'number' ? `${name.replaceAll('_', ' ')} ${dollars(amount)}` : `${name} …`,
      )
      .join(', ')
  return plain(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

async function remove({ call, print, words: [model = ''] }: Told): Promise<void> {
  const gone = await known(model, call('operator.routes.delete', { params: { model }, reply: RouteDeleted }))
  print(gone, () => `Removed the route ${plain(model)}.\n`)
}

/** @throws UsageError for a route that there is not */
async function known<Result>(model: string, work: Promise<Result>): Promise<Result> {
  return work.catch((error: unknown) => {
    if (error instanceof Refused && error.status === 404)
      throw new UsageError(`There is no route '${plain(model)}'. \`parlance route list\` shows them.`)
    throw error
  })
}
