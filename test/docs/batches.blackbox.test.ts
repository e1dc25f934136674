import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import OpenAI from 'openai'
import { ended } from '../batches/batches.ts'
import { startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'batches.md'), 'utf8')

/** Commands with what they print. */
const examples = [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const end = example.search(/(?<!\\)\n/)
      return { command: example.slice(0, end).replaceAll('\\\n', ''), prints: example.slice(end + 1).trimEnd() }
    }),
)

test('the page about batches holds commands that print what it says', { timeout: 60_000 }, async () => {
  assert.ok(examples.length >= 8, String(examples.length))
  await using product = await startProduct()
  const client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
  const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: product.dataDir,
    PARLANCE_DATA_DIR: product.dataDir,
    BASE_URL: `${product.url}/v1`,
    API_KEY: product.key,
  }
  // Variables of one command are there in the next: a shell keeps them.
  const kept: string[] = []
  for (const { command, prints } of examples) {
    const { stdout } = await run('bash', ['-c', [parlance, ...kept, command].join('\n')], { cwd: product.dataDir, env })
    assert.equal(stdout.trimEnd(), prints, command)
    if (/^[A-Z]+=/.test(command)) kept.push(command)
    if (prints.includes('validating')) for await (const { id } of client.batches.list()) await ended(client, id) // as nobody reads that fast
  }
  await product.stop()
})
