import { isAbsolute } from 'node:path'
import { connectionFiles, connectionProblem } from '../../engines/upstream/connection/settings.ts'
import { placeProblem } from '../../engines/upstream/kinds/index.ts'
import { upstreamUrl } from '../../engines/upstream/pool.ts'
import type { UpstreamConfig } from '../../engines/upstream/settings.ts'
import { fault } from '../../lib/faults.ts'
import type { Line, Upstream } from './types.ts'

/**
 * Settings of an upstream that fit their schema, and may still be no use: they are tried, without asking anybody anything.
 * @throws Fault 400 with what to change
 */
export async function checkUpstream(
  name: string,
  settings: UpstreamConfig,
  connect: (upstream: Upstream) => Line,
): Promise<void> {
  const files = [
    ...connectionFiles.map(field => [field, settings[field]] as const),
    ['entra.token_file', settings.entra?.token_file] as const,
  ]
  for (const [field, file] of files)
    if (file !== undefined && !isAbsolute(file))
      throw invalid(field, `expected an absolute path, of a file on the server’s machine`)
  const connection = connectionProblem(settings)
  if (connection !== undefined) throw invalid(connection.name, `it ${connection.message}`)
  const place = placeProblem(settings)
  if (place !== undefined) throw invalid(place.path.join('.'), `it ${place.message}`)
  const { base_url: address, api_key: key } = settings
  if (address !== undefined && !isAddress(address))
    throw invalid('base_url', 'expected an http(s) URL without credentials, query and fragment')
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key))
    throw invalid('api_key', 'expected printable ASCII without spaces, which a header can carry')
  let line: Line | undefined
  try {
    line = connect({ name, source: 'store', settings, shown: {}, createdAt: 0 })
    line.engine(name)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw fault.badRequest(`The upstream cannot be used like this: ${why}`, error)
  } finally {
    await line?.close()
  }
}

const invalid = (param: string, why: string) => fault.invalidValue(param, `Invalid '${param}': ${why}.`)

function isAddress(url: string): boolean {
  try {
    return upstreamUrl(url).hostname !== ''
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}
