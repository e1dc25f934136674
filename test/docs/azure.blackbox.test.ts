import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { operations } from '../../src/operations/index.ts'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'azure.md'), 'utf8')

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(match => match[1]!)

/** Commands with what they print. */
const examples = blocks('console').flatMap(block =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const end = example.indexOf('\n')
      return { command: example.slice(0, end), prints: example.slice(end + 1).trimEnd() }
    }),
)

describe('the page about Azure’s paths', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    product = await startProduct()
  })
  after(() => product?.stop())
  const env = () => ({
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    ENDPOINT: product.url,
    API_KEY: product.key,
  })

  test('holds examples of every kind', () => assert.deepEqual([examples.length, blocks('js').length], [2, 1]))

  for (const { command, prints } of examples)
    test(`prints what it says: ${command.slice(0, 80)}`, async () => {
      const { stdout } = await run('bash', ['-c', command], { env: env() })
      assert.equal(stdout.trimEnd(), prints)
    })

  test('its JavaScript runs', async () => {
    const folder = await mkdtemp(join(checkout, 'test', 'docs', '.azure-'))
    try {
      await writeFile(join(folder, 'example.mjs'), blocks('js')[0]!)
      const { stdout } = await run(process.execPath, [join(folder, 'example.mjs')], { env: env() })
      assert.equal(stdout, 'parlance-tiny-1\n')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('names every operation that stands under a deployment', () => {
    const under = operations.filter(
      ({ bills, path }) => bills === 'tokens' && !path.includes('{') && !path.startsWith('/v1/engines'),
    )
    const line = page.split('\n').find(row => row.startsWith('| `/openai/deployments/')) ?? ''
    for (const { path } of under) assert.ok(line.includes(path.slice('/v1/'.length)), path)
  })
})
