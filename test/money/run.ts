import type { UsageTable } from '../../src/store/schema/money.ts'
import { Clients, type Seen } from './asking.ts'
import { costOf, KillableServer } from './server.ts'
import { type Drawn, draw } from './traffic.ts'
import { type Served, startTruth } from './truth.ts'

export interface Asked {
  seed: number
  requests: number
  ledger: 'grouped' | 'strict'
  /** At once. */
  clients?: number
}

/** What a request came to, and its rows. */
export interface Account {
  plan: Drawn
  seen: Seen
  served: Served | undefined
  rows: UsageTable[]
  /** How long before a kill it ended for its client; what it reads after the kill has left the server before. */
  beforeKillMs: number
}

export interface Findings {
  accounts: Account[]
  /** Rows of nobody's request. */
  strangers: UsageTable[]
  /** How long the traffic took. */
  trafficMs: number
  kills: number
}

/** After these shares of the requests the server is killed, while the others run. After the last request it is killed once more. */
const killsAt = [0.2, 0.5, 0.8]

/** How many requests the kinds of ends, and of rows, are of. */
export function summary({ accounts, strangers, trafficMs, kills }: Findings): string {
  const count = (nameOf: (account: Account) => string) =>
    JSON.stringify(Object.fromEntries([...Map.groupBy(accounts, nameOf)].map(([name, all]) => [name, all.length])))
  const ends = count(({ seen }) => seen.outcome)
  const rows = count(account => account.rows.map(({ status }) => status).join('+') || 'none')
  return `${accounts.length} requests, ${kills} kills, ${Math.round(trafficMs / 1000)} s; replies ${ends}, rows ${rows}, of nobody ${strangers.length}`
}

/** Sends the traffic of a seed through the real server, which is killed meanwhile, and sets the ledger beside the truth. */
export async function run({ seed, requests, ledger, clients: atOnce = 96 }: Asked): Promise<Findings> {
  const truth = await startTruth()
  const server = await KillableServer.start(truth, ledger)
  const clients = new Clients(truth)
  const seen: [Drawn, Seen][] = []
  try {
    const due = killsAt.map(share => Math.floor(share * requests))
    let next = 0
    let away: Promise<void> | undefined
    const work = async () => {
      while (next < requests) {
        if (away !== undefined) await away
        const plan = draw(seed, next++)
        seen.push([plan, await clients.ask(server.url, server.key, plan)])
        if (away === undefined && seen.length >= (due[0] ?? Number.POSITIVE_INFINITY)) {
          due.shift()
          away = server.killAndStart().then(() => {
            away = undefined
          })
        }
      }
    }
    const startedMs = performance.now()
    await Promise.all(Array.from({ length: atOnce }, work))
    await away
    await server.killAndStart()
    const trafficMs = performance.now() - startedMs
    const findings: Findings = { accounts: [], strangers: [], trafficMs, kills: server.kills.length }
    await server.stop(rows => {
      const byTag = Map.groupBy(rows, ({ end_user }) => end_user ?? '')
      for (const [plan, saw] of seen) {
        findings.accounts.push({
          plan,
          seen: saw,
          served: truth.served.get(plan.tag),
          rows: byTag.get(plan.tag) ?? [],
          beforeKillMs: server.beforeKillMs(saw.endedMs),
        })
        byTag.delete(plan.tag)
      }
      findings.strangers = [...byTag.values()].flat()
    })
    return findings
  } catch (error) {
    await server.discard()
    throw error
  } finally {
    await clients.close()
    await truth.close()
  }
}

/**
 * @param behindMs how far the ledger may be behind: what ended within so long before a kill may have no row, or one that says
 *   interrupted. Strict: 0.
 * @returns what is wrong with the rows of a request; undefined: nothing
 */
export function wrong(account: Account, behindMs: number): string | undefined {
  const { plan, seen, served, rows, beforeKillMs } = account
  const isBehind = beforeKillMs < behindMs
  const [row, ...more] = rows
  if (seen.outcome === 'silent') return `was not sent on: ${seen.pieces} of ${served?.sent} pieces came`
  if (more.length > 0) return `has ${rows.length} rows`
  const wasCut = seen.outcome === 'cut'
  if (row === undefined)
    return isBehind || (wasCut && (served === undefined || behindMs > 0))
      ? undefined
      : `has no row, ${beforeKillMs} ms before a kill`
  if (row.status === 'open') return 'was left open'
  if (row.status === 'interrupted')
    return wasCut || isBehind || wasLeftLately(account)
      ? chargedAsReserved(row)
      : `was answered ${beforeKillMs} ms before a kill, and its row says interrupted`
  if (row.cost_nano !== costOf(row.input_tokens, row.output_tokens)) return `costs ${row.cost_nano}`
  const wanted = expected(account)
  const fits = wanted.some(
    ({ status, input, output: [least, most] }) =>
      row.status === status && row.input_tokens === input && row.output_tokens >= least && row.output_tokens <= most,
  )
  if (fits) return undefined
  const { status, input_tokens: input, output_tokens: output } = row
  return `is ${JSON.stringify({ status, input, output })} instead of ${JSON.stringify(wanted)} (${plan.kind}, ${seen.outcome})`
}

/** What was left may still have been counted when the kill came. */
const wasLeftLately = ({ seen, beforeKillMs }: Account): boolean => seen.outcome === 'left' && beforeKillMs < countingMs

/** How long it may take to count the tokens of a reply that was left, on a busy machine. */
const countingMs = 5000

const chargedAsReserved = ({ cost_nano: cost, reserved_nano: reserved }: UsageTable): string | undefined =>
  cost === reserved ? undefined : `was interrupted, and costs ${cost} of ${reserved} that were reserved`

interface Expected {
  status: UsageTable['status']
  input: number
  output: [least: number, most: number]
}

/** What the row must say. Where nobody got the reply, several things may have happened. */
function expected({ plan, seen, served }: Account): Expected[] {
  const { script, promptTokens, kind } = plan
  const told: Omit<Expected, 'status'> = { input: script.prompt, output: [script.completion, script.completion] }
  const counted = (least: number, most = least) => ({ input: promptTokens, output: [least, most] as [number, number] })
  if (seen.outcome === 'whole') return [{ status: 'ok', ...told }]
  const sent = served?.sent ?? 0
  if (seen.outcome === 'left') {
    if (kind === 'leaves a stream that waits') return [{ status: 'cancelled', ...counted(seen.pieces) }]
    return [
      { status: 'cancelled', ...counted(seen.pieces, sent) },
      // The whole reply was on its way when the client left.
      { status: 'cancelled', ...told },
      { status: 'ok', ...told },
    ]
  }
  if (seen.outcome === 'broken') return [{ status: 'failed', ...counted(seen.pieces) }]
  // Of a reply in one piece that breaks nobody gets anything.
  if (seen.outcome === 'refused') return [{ status: 'failed', input: 0, output: [0, 0] }]
  // Cut off by a kill: the server had settled, and the reply was lost on its way.
  const all: UsageTable['status'][] = ['ok', 'failed', 'cancelled']
  return all.flatMap(status => [
    { status, ...told },
    { status, ...counted(seen.pieces, sent) },
    { status, input: 0, output: [0, 0] as [number, number] },
  ])
}
