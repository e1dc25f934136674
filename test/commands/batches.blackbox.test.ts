import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { embedding, inputOf } from '../batches/batches.ts'
import { type Product, runCommand, startProduct } from '../support/product.ts'

const program = fileURLToPath(new URL('../../bin/parlance.cjs', import.meta.url))
const url = '/v1/embeddings'

describe('parlance batches', { timeout: 120_000 }, () => {
  let product: Product
  before(async () => {
    product = await startProduct()
    await writeFile(join(product.dataDir, 'in.jsonl'), inputOf(url, 3000, embedding))
    await writeFile(join(product.dataDir, 'few.jsonl'), inputOf(url, 3, embedding))
    const same = inputOf(url, 1, embedding)
    await writeFile(join(product.dataDir, 'wrong.jsonl'), `${same}\n${same}`)
    await writeFile(join(product.dataDir, 'none.jsonl'), 'not a request\n')
  })
  after(() => product?.stop())

  async function parlance(line: string) {
    const child = spawn(process.execPath, [program, ...line.split(' ')], {
      cwd: product.dataDir,
      env: { HOME: product.dataDir, PARLANCE_DATA_DIR: product.dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    assert.ok(!stderr.includes('\r'), 'nothing moves where nobody watches')
    return { code: child.exitCode, stdout, stderr }
  }
  const done = async (line: string) => {
    const { code, stdout, stderr } = await parlance(line)
    assert.equal(code, 0, `${line}: ${stdout}${stderr}`)
    return { stdout, stderr }
  }
  const json = async (line: string) => JSON.parse((await done(`${line} --json`)).stdout)

  test('a file becomes a batch in one step, and is watched to its end line by line', async () => {
    const { stdout, stderr } = await done('batches create in.jsonl --metadata night=first --watch')
    assert.match(stdout, /^id +batch_\w+\nstatus +completed\nrequests +3000: 3000 completed, 0 failed\n/)
    assert.match(stdout, /\nendpoint +\/v1\/embeddings\n/)
    assert.match(stdout, /\nnight +first\n/)
    assert.match(stderr, /^(?:\d0 % of 3000 requests\n)*100 % of 3000 requests\n$/)
    const [, output = ''] = /\noutput +(file-\w+)\n/.exec(stdout) ?? []
    const results = (await done(`files download ${output} --output -`)).stdout.trimEnd().split('\n')
    assert.equal(results.length, 3000)
  })

  test('create prints the id alone, show and list tell the batch, and an uploaded file will do', async () => {
    const { stdout: id } = await done('batches create few.jsonl')
    assert.match(id, /^batch_\w+\n$/)
    const { stdout } = await done(`batches watch ${id.trim()}`)
    assert.match(stdout, /\nrequests +3: 3 completed, 0 failed\n/)
    const shown = await json(`batches show ${id.trim()}`)
    assert.deepEqual([shown.status, shown.request_counts.total, shown.metadata], ['completed', 3, null])
    const again = await json(`batches create ${shown.input_file_id} --endpoint ${url} --watch`)
    assert.equal(again.status, 'completed')
    const listed = (await done('batches list')).stdout
    assert.match(listed, /^ID +STATUS +DONE +FAILED +ENDPOINT +MODEL +CREATED\n/)
    assert.match(listed, new RegExp(`\\n${id.trim()} +completed +3/3 +0 +/v1/embeddings +text-embedding-3-small +2`))
    assert.equal((await json('batches list')).length, 3)
  })

  test('what is wrong with an input is told with its lines, and the exit code is 1', async () => {
    const { code, stdout, stderr } = await parlance('batches create wrong.jsonl --watch')
    assert.equal(code, 1)
    assert.match(stdout, /\nstatus +failed\n/)
    assert.match(stdout, /\nline 3: Invalid 'custom_id'\. An earlier line has the same one\.\n$/)
    assert.match(stderr, /^parlance: batch_\w+ has not completed: it is failed\.\n$/)
  })

  test('a batch that has ended cannot be cancelled, and one that is not there is not found', async () => {
    const [{ id }] = (await json('batches list')) as [{ id: string }]
    const over = await parlance(`batches cancel ${id}`)
    assert.deepEqual([over.code, over.stdout], [1, ''])
    assert.match(over.stderr, /failed/)
    const none = await parlance('batches show batch_none')
    assert.equal(none.code, 1)
    assert.match(none.stderr, /batch_none/)
  })

  for (const [line, says] of [
    ['batches create', /`parlance batches create FILE`/],
    ['batches create nothing.jsonl', /There is no file nothing\.jsonl\./],
    ['batches create none.jsonl', /The first line of none\.jsonl is no request/],
    ['batches create few.jsonl --metadata night', /--metadata is KEY=VALUE/],
    ['batches create file-0000', /--endpoint \/v1\/chat\/completions/],
    ['batches start', /create, list, show, watch or cancel/],
  ] as const)
    test(`a mistake is told: ${line}`, async () => {
      const { code, stderr } = await parlance(line)
      assert.equal(code, 2, stderr)
      assert.match(stderr, says)
    })

  test('without a server a batch waits, is not watched for ever, and can be cancelled', async () => {
    const env = { PARLANCE_DATA_DIR: join(product.dataDir, 'apart') }
    const made = await runCommand(['batches', 'create', join(product.dataDir, 'few.jsonl')], env)
    assert.equal(made.code, 0, made.stderr)
    assert.match(made.stderr, /It begins when a server runs/)
    const id = made.stdout.trim()
    const watched = await runCommand(['batches', 'watch', id], env)
    assert.equal(watched.code, 1)
    assert.match(watched.stderr, /No server runs on this data folder/)
    const cancelled = await runCommand(['batches', 'cancel', id], env)
    assert.equal(cancelled.stdout, `${id} is cancelling.\n`)
  })
})
