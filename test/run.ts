import { spawn } from 'node:child_process'
import { glob } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

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

/** What one process runs. A group of many files is dealt out to several processes; one whose tests need the machine is not. */
interface Lane {
  readonly name: string
  readonly args: readonly string[]
}

async function lanesOf(name: string, width: number): Promise<Lane[]> {
  if (!(name in groups)) throw new Error(`There is no group '${name}': ${Object.keys(groups).join(', ')}.`)
  const group = name as keyof typeof groups
  const files = await filesOf(group)
  if (files.length === 0) throw new Error(`The group '${name}' has no files.`)
  const lanes = group === 'fast' || group === 'blackbox' ? 2 * width : 1
  return Array.from({ length: lanes }, (_, lane) => ({
    name: lanes === 1 ? name : `${name} ${lane + 1} of ${lanes}`,
    args: [
      '--test',
      `--test-timeout=${fileTimeoutMs}`,
      ...groups[group].flags,
      ...files.filter((_, i) => i % lanes === lane),
    ],
  }))
}

/** A lane alone speaks as it goes; beside others it speaks when it has ended, so that no two mix. */
async function run({ name, args }: Lane, alone: boolean): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', alone ? 'inherit' : 'pipe', 'inherit'] })
  const said: Buffer[] = []
  child.stdout?.on('data', piece => said.push(piece))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  if (!alone) process.stdout.write(Buffer.concat([Buffer.from(`\n── ${name}\n`), ...said]))
  if (code !== 0) process.exitCode = 1
}

/** Runs the groups that are named, as many processes side by side as there are processors; the exit code says whether all passed. */
const width = availableParallelism()
const lanes = (await Promise.all(process.argv.slice(2).map(name => lanesOf(name, width)))).flat()
const waiting = [...lanes]
await Promise.all(
  Array.from({ length: width }, async () => {
    for (let lane = waiting.shift(); lane; lane = waiting.shift()) await run(lane, lanes.length === 1)
  }),
)
