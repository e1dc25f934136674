import { type Fault, fault } from '../../lib/faults.ts'
import type { LimitSubject } from '../../store/schema/money.ts'
import type { Account } from './account.ts'
import type { Month } from './month.ts'

export interface Refused {
  operation: string
  /** Whose limit it is; undefined: the organisation's credit. */
  account: Account | undefined
  leftNano: number
  /** The least that the request may come to. */
  neededNano: number
  month: Month
}

/** What a caller reads whose request does not fit: why, and what to do here. */
export function refusal({ operation, account, leftNano, neededNano, month }: Refused): Fault {
  const numbers = `This request may cost ${usd(neededNano)} or more, and ${usd(Math.max(0, leftNano))} is left`
  const why =
    account === undefined
      ? `${numbers} of the organization's credit. An owner adds credit with \`parlance credit\`.`
      : `${numbers} of the monthly limit of the ${who(account)}. It begins anew on ${begins(month)}; an owner raises it with \`parlance limits\`.`
  return operation.startsWith('images.') ? fault.hardLimitReached(why) : fault.quotaExceeded(why)
}

const subjects: Readonly<Record<LimitSubject, string>> = {
  organization: 'organization',
  project: 'project',
  key: 'key',
  end_user: 'end user',
}

const who = ({ subject, id }: Account): string => `${subjects[subject]} '${id.slice(0, 64)}'`

const begins = ({ endMs }: Month): string => new Date(endMs).toISOString().slice(0, 10)

/** Nine decimals are exact: a nano-dollar is the smallest amount that there is. */
function usd(nano: number): string {
  const text = (nano / 1e9).toFixed(9).replace(/0{1,7}$/, '')
  return `$${text}`
}
