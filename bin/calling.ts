import type { Static, TSchema } from 'typebox'
import type { Config } from '../src/config.ts'
import { Fault } from '../src/lib/faults.ts'
import type { Parlance } from '../src/main.ts'
import { operations } from '../src/operations/index.ts'
import { terminal } from '../src/platform/audit.ts'
import { execute } from '../src/platform/execute.ts'
import type { Operation } from '../src/platform/operation.ts'
import { fits } from '../src/wire/check.ts'
import { Refused } from './run.ts'
import { askServer } from './running.ts'
import { openHere } from './surroundings.ts'

/** What an operation is asked, as clients ask it. */
export interface Asked<Reply extends TSchema> {
  params?: Readonly<Record<string, string>>
  query?: Query
  body?: object
  reply: Reply
}

export type Query = Readonly<Record<string, QueryValue | undefined>>
type QueryValue = string | number | boolean | readonly string[] | Readonly<Record<string, number>>

/** Runs one operation, by its id, as the operator of this machine. @throws Refused with words for whoever asked */
export type Call = <Reply extends TSchema>(id: string, asked: Asked<Reply>) => Promise<Static<Reply>>

/**
 * The operations of the product for commands: those of the server that runs on the data folder, and when none runs the same ones in
 * this process. Either way access, checks and the audit log are those of every other request.
 * @param organization id or slug of the one to act in; the default one if absent
 */
export async function withCalls<Result>(
  config: Config,
  organization: string | undefined,
  work: (call: Call) => Promise<Result>,
): Promise<Result> {
  let here: Parlance | undefined
  const call: Call = async (id, asked) => {
    const operation = operationOf(id)
    if (here === undefined) {
      const { method } = operation
      const path = pathOf(operation, asked.params, asked.query)
      const { body, reply } = asked
      const answer = await askServer(config, { method, path, organization, reply, ...(body && { body }) })
      if (answer !== undefined) return answer
      here = await openHere(config)
    }
    return executeHere(here, operation, organization, asked)
  }
  try {
    return await work(call)
  } finally {
    await here?.close()
  }
}

/** @throws Refused */
async function executeHere<Reply extends TSchema>(
  { services, keys }: Parlance,
  operation: Operation,
  organization: string | undefined,
  { params = {}, query = {}, body, reply }: Asked<Reply>,
): Promise<Static<Reply>> {
  const caller = await keys.operator(organization).catch(refused)
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const request = { params: { ...params }, query: Object.fromEntries(given), caller, from: terminal }
  const bytes = Buffer.byteLength(JSON.stringify(body ?? ''))
  const { signal } = new AbortController() // the command ends with its process
  const asked = { ...request, body, bytes, signal, wants: 'values' as const }
  const outcome = await execute(operation, asked, services).catch(refused)
  if (outcome.kind === 'json' && fits(reply, outcome.value)) return outcome.value
  throw new Error(`${operation.id} does not answer as its schema says.`)
}

/** As the server's answer would be told. */
function refused(error: unknown): never {
  throw error instanceof Fault && error.status < 500 ? new Refused(error.message, error.status) : error
}

function operationOf(id: string): Operation {
  const found = operations.find(operation => operation.id === id)
  if (found === undefined) throw new Error(`There is no operation ${id}.`)
  return found
}

/** With what is variable in it encoded, and the query written as the clients write it. */
function pathOf({ path }: Operation, params: Asked<TSchema>['params'] = {}, query: Query = {}): `/v1/${string}` {
  const written = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name] ?? ''
    if (value === '' || value === '.' || value === '..') throw new Refused(`'${value}' is no id.`, 404)
    return encodeURIComponent(value)
  })
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    if (typeof value !== 'object') search.append(name, String(value))
    else if (isList(value)) for (const item of value) search.append(`${name}[]`, item)
    else for (const [key, item] of Object.entries(value)) search.append(`${name}[${key}]`, String(item))
  }
  return `${written as `/v1/${string}`}${search.size === 0 ? '' : `?${search}`}`
}

const isList = (value: object): value is readonly string[] => Array.isArray(value)
