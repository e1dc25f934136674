import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'files.md'), 'utf8')

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

/** Ids are others each time. */
const same = (text: string) => text.trimEnd().replaceAll(/\b(file|upload|part)[-_][0-9A-Za-z]{16,}/g, '$1-…')

describe('the page about files', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    product = await startProduct()
    await mkdir(join(product.dataDir, 'example'))
  })
  after(() => product?.stop())

  test('holds examples', () => assert.ok(examples.length >= 7, String(examples.length)))

  for (const { command, prints } of examples)
    test(`prints what it says: ${command.slice(0, 100)}`, async () => {
      const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
      const { stdout } = await run('bash', ['-o', 'pipefail', '-c', `${parlance}; ${command}`], {
        cwd: join(product.dataDir, 'example'),
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: product.dataDir,
          PARLANCE_DATA_DIR: product.dataDir,
          BASE_URL: `${product.url}/v1`,
          API_KEY: product.key,
        },
      })
      assert.equal(same(stdout), same(prints))
    })
})
