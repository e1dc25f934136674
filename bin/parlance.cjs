#!/usr/bin/env node
// Starts the emitted JavaScript, or the TypeScript itself where a source is newer (in a clone that is being worked on). Plain JavaScript
// of old, so that an old Node can say that it is too old, and so that the cache of compiled code is on before anything else is loaded.
const { existsSync, readdirSync, statSync } = require('node:fs')
const { enableCompileCache } = require('node:module')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `parlance: needs Node 24 or newer, this is ${process.version}. In a clone, \`npm start\` brings its own.\n`,
  )
  process.exit(1)
}
enableCompileCache()
const root = join(__dirname, '..')
const emitted = join(root, 'dist', 'bin', 'parlance.js')
const source = join(__dirname, 'parlance.ts')
import(pathToFileURL(existsSync(source) && !isFresh() ? source : emitted).href)

/** Whether the emitted files are newer than every source. A few milliseconds, against a second of stripping types. */
function isFresh() {
  if (!existsSync(emitted)) return false
  const { mtimeMs: emittedMs } = statSync(join(root, 'dist'))
  return ['bin', 'src'].every(folder =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).every(
      entry => !entry.name.endsWith('.ts') || statSync(join(entry.parentPath, entry.name)).mtimeMs < emittedMs,
    ),
  )
}
