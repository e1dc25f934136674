import {
  Credit,
  type CreditCode,
  CreditCodeList,
  CreditGrant,
  NewCreditCodes,
} from '../../src/wire/organization/credit.ts'
import { UsageError } from '../run.ts'
import { table } from '../table.ts'
import { count, day, dollars, plain, usd } from '../values.ts'
import { command, everyItem, type Told, verb } from '../verbs.ts'

export const help = `parlance credit: what an organisation may spend. Where it is off, none is needed.

  credit show              What is left, and what it is made of.
  credit on, credit off    Whether requests are paid with credit, and refused without.
  credit grant USD         Give credit.
      --days N             It can be spent for so long. Default: for ever.
      --note TEXT          What for.
      --paid               It was paid for (a top-up), not given.
  credit code USD          Print a code that gives credit to whoever redeems it, this once.
      --count N            So many, 1 to 100.
      --days N             From its redemption on, it can be spent for so long. Default: for ever.
      --redeem-days N      It can be redeemed for so long. Default: for ever.
  credit codes             The codes that were made, without the codes themselves.
  credit redeem CODE       Turn a code into credit.

  With each: --json, --data-dir FOLDER; --organization NAME, but not with code and codes.
`

const grantOptions = { days: 'text', note: 'text', paid: 'flag' } as const
const codeOptions = { count: 'text', days: 'text', 'redeem-days': 'text' } as const

export const run = command(
  'credit',
  {
    show: verb({ run: show }),
    on: verb({ run: told => turn(told, true) }),
    off: verb({ run: told => turn(told, false) }),
    grant: verb({ takes: ['USD'], options: grantOptions, run: grant }),
    code: verb({ takes: ['USD'], options: codeOptions, of: 'server', run: code }),
    codes: verb({ of: 'server', run: codes }),
    redeem: verb({ takes: ['CODE'], run: redeem }),
  },
  'show',
)

async function show({ call, print }: Told): Promise<void> {
  const credit = await call('organization.credit.retrieve', { reply: Credit })
  print(credit, () => shown(credit))
}

async function turn({ call, print }: Told, enabled: boolean): Promise<void> {
  const credit = await call('organization.credit.update', { body: { enabled }, reply: Credit })
  print(credit, () => shown(credit))
}

async function grant({
  call,
  text,
  flag,
  words: [amount = ''],
  print,
  note,
}: Told<typeof grantOptions>): Promise<void> {
  const [days, why] = [text('days'), text('note')]
  const body = {
    amount_usd: worth(amount),
    kind: flag('paid') ? 'top_up' : 'grant',
    ...(days !== undefined && { valid_days: daysOf('--days', days) }),
    ...(why !== undefined && { note: why }),
  }
  const made = await call('organization.credit.grants.create', { body, reply: CreditGrant })
  print(made, () => granted(made))
  const { enabled } = await call('organization.credit.retrieve', { reply: Credit })
  if (!enabled) note('Credit is off: nothing is charged to it. `parlance credit on` changes that.')
}

async function code({ call, text, words: [amount = ''], print, note }: Told<typeof codeOptions>): Promise<void> {
  const [number, days, redeem] = [text('count'), text('days'), text('redeem-days')]
  const body = {
    amount_usd: worth(amount),
    ...(number !== undefined && { count: count('--count', number) }),
    ...(days !== undefined && { valid_days: daysOf('--days', days) }),
    ...(redeem !== undefined && { expires_in_days: daysOf('--redeem-days', redeem) }),
  }
  const { data } = await call('organization.credit.codes.create', { body, reply: NewCreditCodes })
  print(data, () => data.map(made => `${made.code}\n`).join(''))
  note(`Worth ${dollars(worth(amount))} USD${data.length > 1 ? ' each' : ''}. Shown this once: only hashes are kept.`)
}

async function codes({ call, print }: Told): Promise<void> {
  const all = await everyItem(call, 'organization.credit.codes.list', { reply: CreditCodeList, itemsOf: page => page })
  const row = (made: CreditCode) => [
    ...[
      made.id,
      made.hint,
      dollars(made.amount_usd),
      day(made.created_at),
      day(made.expires_at),
      day(made.redeemed_at),
    ],
    made.organization_id ?? '',
  ]
  const heading = ['ID', 'CODE', 'USD', 'CREATED', 'EXPIRES', 'REDEEMED', 'BY']
  print(all, () =>
    all.length === 0
      ? 'No codes were made. `parlance credit code USD` makes one.\n'
      : table([heading, ...all.map(row)]),
  )
}

async function redeem({ call, words: [code], print }: Told): Promise<void> {
  const made = await call('organization.credit.redeem', { body: { code }, reply: CreditGrant })
  print(made, () => granted(made))
}

function worth(text: string): number {
  const amount = usd('The amount', text)
  if (amount === 0) throw new UsageError('The amount must be more than 0.')
  return amount
}

function daysOf(what: string, text: string): number {
  const days = count(what, text)
  if (days < 1 || days > 36_500) throw new UsageError(`${what} is a number of days from 1 to 36500.`)
  return days
}

const granted = ({ id, amount_usd: amount, expires_at: end }: CreditGrant): string =>
  `Gave ${dollars(amount)} USD of credit${end === null ? '' : `, until ${day(end)}`} (${id}).\n`

function shown({ enabled, balance_usd: left, used_usd: used, grants }: Credit): string {
  const state = enabled ? 'Credit is on: requests are paid with it.' : 'Credit is off: requests need none.'
  const sums = `${dollars(left)} USD left, ${dollars(used)} USD used.`
  const row = (grant: CreditGrant) => [
    ...[
      grant.id,
      grant.kind,
      dollars(grant.amount_usd),
      dollars(grant.used_usd),
      day(grant.expires_at),
      plain(grant.note),
    ],
  ]
  const list = grants.length === 0 ? '' : table([['ID', 'KIND', 'USD', 'USED', 'EXPIRES', 'NOTE'], ...grants.map(row)])
  return `${state} ${sums}\n${list}`
}
