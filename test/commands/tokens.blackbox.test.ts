import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { getEncoding } from '../../src/tokens/index.ts'

const command = fileURLToPath(new URL('../../bin/parlance.cjs', import.meta.url))

describe('`parlance tokens`', { timeout: 120_000 }, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parlance-tokens-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  async function tokens(args: string[], input = '') {
    const child = spawn(process.execPath, [command, 'tokens', ...args], { cwd: folder, env: { HOME: folder } })
    child.stdin.on('error', () => {}) // some commands end without reading it
    child.stdin.end(input)
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { code: child.exitCode, stdout, stderr }
  }

  test('prints the count alone where a program reads it', async () => {
    assert.deepEqual(await tokens(['-'], 'hello world'), { code: 0, stdout: '2\n', stderr: '' })
    assert.deepEqual(await tokens(['-'], ''), { code: 0, stdout: '0\n', stderr: '' })
  })

  test('ids, pieces, both, and JSON', async () => {
    const input = 'tiktoken is great!\n'
    const ids = getEncoding('gpt2').encodeOrdinary(input)
    const ask = async (...args: string[]) => (await tokens(['--encoding', 'gpt2', ...args, '-'], input)).stdout
    assert.equal(await ask('--ids'), ids.map(id => `${id}\n`).join(''))
    const lines = (await ask('--ids', '--pieces'))
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t'))
    assert.deepEqual(
      lines.map(([id]) => Number(id)),
      ids,
    )
    assert.equal(lines.map(([, piece]) => JSON.parse(piece ?? '')).join(''), input)
    const json = JSON.parse(await ask('--ids', '--pieces', '--json'))
    assert.deepEqual(json, {
      encoding: 'gpt2',
      count: ids.length,
      characters: 19,
      bytes: 19,
      tokens: ids,
      pieces: lines.map(([, piece]) => JSON.parse(piece ?? '')),
    })
  })

  test('a file of megabytes is read in blocks, with the tokens of the whole', async () => {
    const file = join(folder, 'large.txt')
    const large = 'The quick brown fox,\njumps over\n\n  the lazy 世界 dog.\r\n'.repeat(60_000)
    await writeFile(file, large)
    const expected = getEncoding('o200k_base').encodeOrdinary(large)
    assert.equal((await tokens([file])).stdout, `${expected.length}\n`)
    assert.equal((await tokens(['--ids', file])).stdout, expected.map(id => `${id}\n`).join(''))
  })

  test('by model: OpenAI’s names by their encoding, local models by their own tokenizer', async () => {
    const asked = async (model: string) => JSON.parse((await tokens(['--model', model, '--json', '-'], '你好')).stdout)
    const counts = { characters: 2, bytes: 6 }
    assert.deepEqual(await asked('ft:gpt-3.5-turbo-0125:acme::x'), { encoding: 'cl100k_base', count: 2, ...counts })
    assert.deepEqual(await asked('gpt-4o-mini'), { encoding: 'o200k_base', count: 1, ...counts })
    assert.deepEqual(await asked('parlance-tiny-1'), { encoding: 'parlance-tiny-1', count: 2, ...counts })
    assert.deepEqual(await asked('parlance-embed-1'), { encoding: 'parlance-embed-1', count: 2, ...counts })
  })

  test('a model of the settings wins, and an estimate says that it is one', async () => {
    const settings =
      'upstreams: { a: { base_url: "http://127.0.0.1:9/v1" } }\nmodels: { gpt-4o: { upstream: a, name: "Qwen/Qwen3-32B", price: { input: 0 } } }\naliases: { gpt-4: gpt-4o }\n'
    await writeFile(join(folder, 'parlance.yaml'), settings)
    try {
      const { stdout, stderr } = await tokens(['--model', 'gpt-4', '-'], 'hello world')
      assert.equal(stdout, '2\n')
      assert.equal(
        stderr,
        "parlance: The encoding of 'Qwen/Qwen3-32B' is not known here: counted with o200k_base, as an estimate.\n",
      )
    } finally {
      await rm(join(folder, 'parlance.yaml'))
    }
  })

  for (const [name, args, says] of [
    ['no file', [], /Name one file, or - for standard input: parlance tokens \[--encoding/],
    ['two files', ['a', 'b'], /Name one file/],
    ['a file that is not there', ['nothing.txt'], /There is no file nothing\.txt\. For standard input, write -/],
    ['a folder', ['.'], /is a folder\. Name a file/],
    ['an unknown encoding', ['--encoding', 'p60k', '-'], /There is no encoding 'p60k'\. The encodings are gpt2, /],
    ['an unknown model', ['--model', 'nope', '-'], /'nope' is neither .* Give --encoding: gpt2, /],
    ['model and encoding', ['--model', 'gpt-4', '--encoding', 'gpt2', '-'], /either --encoding or --model/],
    ['ids of a model without any', ['--model', 'parlance-embed-1', '--ids', '-'], /have no numbers: leave out --ids/],
  ] as const)
    test(`${name} is refused with what to do`, async () => {
      const { code, stdout, stderr } = await tokens([...args])
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n\s+at /)
    })

  test('bytes that are no text are refused with what to do', async () => {
    const file = join(folder, 'latin1.txt')
    await writeFile(file, Buffer.from([0x47, 0x72, 0xfc, 0xdf, 0x65]))
    const { code, stderr } = await tokens([file])
    assert.equal(code, 2)
    assert.match(stderr, /latin1\.txt is not UTF-8 text\. Convert it first/)
  })

  test('a reader that has read enough ends it without a word', async () => {
    const child = spawn(
      'bash',
      ['-c', `yes word | head -c 3000000 | '${process.execPath}' '${command}' tokens --ids - | head -1`],
      {
        env: { HOME: folder, PATH: process.env.PATH ?? '' },
      },
    )
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.deepEqual([stdout, stderr], ['1801\n', ''])
  })
})
