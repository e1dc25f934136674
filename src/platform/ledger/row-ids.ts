/**
 * Ids that sort by time: `use_`, milliseconds, ten random characters of this process, a count. Rows then go to the end of the index;
 * with random ids every row changes another page of it, and costs three times as much to store.
 */
export function sortable(random: string): (nowMs: number) => string {
  const origin = random.slice(-10)
  let count = 0
  return nowMs => `use_${nowMs.toString(36).padStart(9, '0')}${origin}${(count++).toString(36)}`
}
