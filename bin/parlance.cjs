#!/usr/bin/env node
// Starts the TypeScript of a clone, or the JavaScript of the published package. Plain old JavaScript, so that an old Node can say so.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `parlance: needs Node 24 or newer, this is ${process.version}. In a clone, \`npm start\` brings its own.\n`,
  )
  process.exit(1)
}
const source = join(__dirname, 'parlance.ts')
const entry = existsSync(source) ? source : join(__dirname, '..', 'dist', 'bin', 'parlance.js')
import(pathToFileURL(entry).href)
