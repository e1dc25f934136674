import { fault } from '../../lib/faults.ts'

export const dayMs = 86_400_000

/** The beginning of a day that is written as `2023-07-31`, in UTC. Unix milliseconds. @throws Fault 400 */
export function dayOf(param: string, date: string): number {
  const startMs = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN
  // The 31st of a shorter month would be read as a day of the next one.
  if (Number.isNaN(startMs) || new Date(startMs).toISOString().slice(0, 10) !== date)
    throw fault.invalidValue(param, `Invalid '${param}': expected a date such as '2023-07-31'.`)
  return startMs
}

/** The last second of the year 9999: what never ends, for clients that read a number. */
export const never = 253_402_300_799
