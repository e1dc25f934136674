import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import OpenAI from 'openai'
import { type Product, startProduct } from '../support/product.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'accounts.md'), 'utf8')

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

/** What is another one each time: ids, secrets and their hints, dates and times. */
const changing =
  /(?:sk|inv|credit)-(?:proj-|svcacct-|admin-)?[0-9A-Za-z]{20,}|(?:key|grant|code|proj)_[0-9A-Za-z]{16,}|(?:org|user|invite)-[0-9A-Za-z]{24}|\S{5}\*{3}\S{4}|\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2})?/g

describe('the commands on the page about accounts', { timeout: 480_000 }, () => {
  let product: Product
  /** What the page calls things, and what they are called here. */
  const names = new Map<string, string>()
  before(async () => {
    product = await startProduct()
    const client = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: product.key, maxRetries: 0 })
    await client.chat.completions.create({
      model: 'parlance-tiny-1',
      messages: [{ role: 'user', content: 'Count to 7' }],
      temperature: 0,
    })
  })
  after(() => product?.stop())

  test('are there', () => assert.ok(examples.length >= 25, String(examples.length)))

  for (const { command, prints } of examples)
    test(`print what it says: ${command}`, async () => {
      const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
      const meant = command.replaceAll(changing, name => names.get(name) ?? name)
      const { stdout } = await run('bash', ['-c', `${parlance}; ${meant}`], {
        cwd: product.dataDir,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: product.dataDir,
          PARLANCE_DATA_DIR: product.dataDir,
        },
      })
      const [printed, written] = [stdout.match(changing) ?? [], prints.match(changing) ?? []]
      for (const [place, name] of written.entries()) {
        const known = names.get(name)
        const isTime = /^\d{4}-/.test(name)
        if (known !== undefined && !isTime) assert.equal(printed[place], known, stdout)
        names.set(name, printed[place] ?? '')
      }
      const same = (text: string) => text.trimEnd().replaceAll(changing, '…').replaceAll(/ {2,}/g, '  ')
      assert.equal(same(stdout), same(prints))
    })
})
