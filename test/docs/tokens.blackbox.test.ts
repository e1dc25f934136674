import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'tokens.md'), 'utf8')

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

describe('the page about tokens', { timeout: 120_000 }, () => {
  let folder = ''
  let product: Product
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parlance-tokens-page-'))
    product = await startProduct()
  })
  after(async () => {
    await product.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('holds examples of every kind', () => {
    assert.ok(examples.length >= 6)
    assert.equal(blocks('js').length, 1)
  })

  for (const { command, prints } of examples)
    test(`prints what it says: ${command}`, async () => {
      const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
      const { stdout } = await run('bash', ['-c', `${parlance}; ${command}`], {
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: folder,
          BASE_URL: `http://127.0.0.1:${product.port}/v1`,
          API_KEY: product.key,
        },
      })
      assert.equal(stdout.trimEnd(), prints)
    })

  test('its JavaScript runs', async () => {
    const file = join(folder, 'example.ts')
    const source = join(checkout, 'src', 'tokens', 'index.ts')
    await writeFile(file, blocks('js')[0]!.replace("'parlance/tokens'", JSON.stringify(source)))
    const { stdout } = await run(process.execPath, [file])
    assert.equal(stdout, '[ 83, 1609, 5963, 374, 2294, 0 ] 2 你好\n9\n')
  })
})
