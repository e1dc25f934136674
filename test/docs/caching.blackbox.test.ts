import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startProduct } from '../support/product.ts'
import { startUpstream } from '../support/upstream.ts'

const run = promisify(execFile)
const page = await readFile(fileURLToPath(new URL('../../docs/caching.md', import.meta.url)), 'utf8')

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(match => match[1]!)

/** Commands with what they print. */
const examples = blocks('console').flatMap(block =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const end = example.search(/(?<!\\)\n/)
      return { command: example.slice(0, end).replaceAll('\\\n', ''), prints: example.slice(end + 1).trimEnd() }
    }),
)

test('the page about kept replies holds settings that work and commands that print what it says', {
  timeout: 60_000,
}, async () => {
  assert.equal(examples.length, 5)
  const upstream = await startUpstream()
  upstream.models = ['Qwen/Qwen3-32B']
  const yaml = blocks('yaml').join('').replace('http://10.0.0.5:8000/v1', upstream.baseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'parlance-caching-'))
  try {
    await using product = await startProduct({ yaml, env: { VLLM_KEY: upstream.key } })
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      BASE_URL: `${product.url}/v1`,
      API_KEY: product.key,
    }
    for (const { command, prints } of examples) {
      const { stdout } = await run('bash', ['-c', command], { cwd: folder, env })
      assert.equal(stdout.replaceAll('\r', '').trimEnd(), prints, command)
    }
    assert.equal(upstream.requests.length, 2)
    await product.stop()
  } finally {
    await upstream.close()
    await rm(folder, { recursive: true })
  }
})
