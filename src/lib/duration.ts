/**
 * A time span as Go writes it, and with it OpenAI's rate limits: `17ms`, `8.64s`, `7m12s`, `6m0s`, `24h0m0s`. Rounded up to a whole
 * millisecond, so that whoever waits so long has waited long enough.
 */
export function goDuration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms))
  if (whole === 0) return '0s'
  if (whole < 1000) return `${whole}ms`
  const hours = Math.floor(whole / 3_600_000)
  const minutes = Math.floor(whole / 60_000) % 60
  const seconds = `${(whole % 60_000) / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
