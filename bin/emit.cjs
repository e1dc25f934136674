// Emits the JavaScript into dist/: after `npm ci` in a clone, and before the package is packed. Without the development dependencies
// there is no compiler, and nothing to do: the sources are run then.
const { spawnSync } = require('node:child_process')
const { existsSync, renameSync, rmSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
if (existsSync(compiler)) {
  const next = join(root, 'dist.next')
  rmSync(next, { recursive: true, force: true })
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', next], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  renameSync(next, join(root, 'dist'))
}
