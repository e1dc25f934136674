import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../src/lib/modules.ts'

const { version: found } = JSON.parse(readFileSync(join(packageRoot(import.meta.url), 'package.json'), 'utf8')) as {
  version: string
}

/** Of the package, as its package.json says. */
export const version = found
