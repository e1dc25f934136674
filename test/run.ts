import { spawn } from 'node:child_process'
import { glob } from 'node:fs/promises'

/** The groups of test files, told apart by their suffix. */
const groups = {
  /** Beside the code, and about the code: one process for all. */
  fast: { suffix: '.test.ts', flags: ['--test-isolation=none'] },
  /** Loads llama.cpp: a process each, because native code may end its process. */
  native: { suffix: '.native.test.ts', flags: ['--test-concurrency=1'] },
  /** The started product, seen from outside. */
  blackbox: { suffix: '.blackbox.test.ts', flags: ['--test-concurrency=1'] },
  /** Long runs. */
  slow: { suffix: '.slow.test.ts', flags: ['--test-concurrency=1'] },
  /** Builds, packs, installs and starts the tarball. */
  package: { suffix: '.package.test.ts', flags: [] },
} as const

/** What hangs is a failure, not a wait. */
const fileTimeoutMs = 600_000

const marks = Object.entries(groups).flatMap(([name, { suffix }]) => (name === 'fast' ? [] : [suffix]))

async function filesOf(group: keyof typeof groups): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob(`{bin,src,test,training,docs}/**/*${groups[group].suffix}`)) files.push(file)
  return files.filter(file => group !== 'fast' || !marks.some(mark => file.endsWith(mark))).sort()
}

/** Runs groups one after another; the exit code says whether all of them passed. */
for (const name of process.argv.slice(2)) {
  if (!(name in groups)) throw new Error(`There is no group '${name}': ${Object.keys(groups).join(', ')}.`)
  const group = name as keyof typeof groups
  const files = await filesOf(group)
  if (files.length === 0) throw new Error(`The group '${name}' has no files.`)
  const child = spawn(
    process.execPath,
    ['--test', `--test-timeout=${fileTimeoutMs}`, ...groups[group].flags, ...files],
    { stdio: 'inherit' },
  )
  const code = await new Promise<number | null>(resolve => child.once('exit', resolve))
  if (code !== 0) process.exitCode = 1
}
