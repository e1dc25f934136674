import type { Fault } from '../../lib/faults.ts'

/**
 * An error as Azure's gateway says it (wire.md section 10): for keys, deployments, URLs and rates `code` and `message` alone, with the
 * words that programs look for, and ours behind them. Everything else is what the model says, which Azure passes on in OpenAI's form.
 * `code` is never null.
 */
export function azureError(fault: Fault): { error: object } {
  const { status, code, message } = fault
  if (status === 401 && (code === null || code === 'invalid_api_key'))
    return said('401', `Access denied due to invalid subscription key or wrong API endpoint. ${message}`)
  if (code === 'model_not_found')
    return said('DeploymentNotFound', `The API deployment for this resource does not exist. ${message}`)
  if (status === 404 && code === null) return said('404', `Resource not found. ${message}`)
  if (status === 429 && code !== 'insufficient_quota') return said('429', `${exceeded(fault)} ${message}`)
  return { error: { ...fault.body().error, code: code ?? String(status) } }
}

const said = (code: string, message: string) => ({ error: { code, message } })

function exceeded({ type, headers }: Fault): string {
  const seconds = headers['retry-after']
  const wait = seconds === undefined ? '' : ` Please retry after ${seconds} seconds.`
  return `Requests have exceeded the ${type === 'tokens' ? 'token' : 'call'} rate limit.${wait}`
}
