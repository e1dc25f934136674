import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Hub, startHub } from '../support/hub.ts'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'models.md'), 'utf8')

/** Commands with what they print. */
const examples = [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const end = example.indexOf('\n')
      return { command: example.slice(0, end), prints: example.slice(end + 1).trimEnd() }
    }),
)

describe('the page about models', { timeout: 120_000 }, () => {
  let hub: Hub
  let product: Product
  before(async () => {
    hub = await startHub()
    product = await startProduct()
  })
  after(async () => {
    await product.stop()
    await hub[Symbol.asyncDispose]()
  })

  test('holds examples', () => assert.equal(examples.length, 11))

  for (const { command, prints } of examples)
    test(`prints what it says: ${command}`, async () => {
      const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
      const { stdout } = await run('bash', ['-c', `${parlance}; ${command}`], {
        cwd: product.dataDir,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: product.dataDir,
          PARLANCE_DATA_DIR: product.dataDir,
          PARLANCE_HUB_URL: hub.url,
          BASE_URL: `${product.url}/v1`,
          API_KEY: product.key,
        },
      })
      assert.equal(stdout.trimEnd(), prints)
    })
})
