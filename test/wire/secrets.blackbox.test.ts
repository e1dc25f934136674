import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { smallModelSettings } from '../support/models.ts'
import { startProduct, testKey } from '../support/product.ts'
import { ask, encode, openWire } from '../support/socket.ts'

const canary = 'canary-7f3e9b52-the-prompt-nobody-may-keep'
const wrongKey = 'sk-canary-b81d40c6e2f7a953'

test('neither a key nor a prompt is ever printed or kept', { timeout: 120_000 }, async () => {
  await using product = await startProduct({ yaml: `log_requests: true\n${await smallModelSettings()}` })
  const seen: string[] = []
  const send = async (path: string, body: string | object, key = product.key) => {
    const bytes = typeof body === 'string' ? body : JSON.stringify(body)
    const reply = await ask(product.port, {
      path,
      body: bytes,
      headers: { authorization: `Bearer ${key}`, 'x-secret': canary },
    })
    seen.push(`${reply.status}`)
    return reply
  }
  const messages = [{ role: 'user', content: canary }]
  const model = 'gpt-3.5-turbo'
  await send('/v1/chat/completions', { model, messages, max_tokens: 4 })
  await send('/v1/chat/completions', { model, messages, max_tokens: 4, stream: true })
  await send('/v1/completions', { model, prompt: canary, max_tokens: 4 })
  await send('/v1/embeddings', { model: 'text-embedding-ada-002', input: [canary] })
  // the same in requests that fail, which is where logs talk too much
  await send('/v1/chat/completions', `{"model": "${model}", "messages": "${canary}`)
  await send('/v1/chat/completions', { model, messages: canary })
  await send('/v1/chat/completions', { model, messages, [canary]: 1 })
  await send('/v1/chat/completions', { model: canary, messages })
  await send('/v1/chat/completions', { model, messages: [{ role: 'user', content: `${canary} `.repeat(20_000) }] })
  await send(`/v1/${canary}?key=${canary}`, {})
  await send('/v1/chat/completions', { model, messages }, wrongKey)
  await leave(product.port, { model, messages, max_tokens: 400, stream: true })
  assert.deepEqual(seen, ['200', '200', '200', '200', '400', '400', '400', '404', '400', '404', '401'])

  const { stdout, stderr } = product.printed()
  await product.stop(async folder => {
    const files = await readdir(folder, { recursive: true, withFileTypes: true })
    const kept = await Promise.all(
      files.filter(file => file.isFile()).map(file => readFile(join(file.parentPath, file.name))),
    )
    assert.ok(
      kept.some(bytes => bytes.subarray(0, 15).equals(Buffer.from('SQLite format 3'))),
      'the database is among them',
    )
    for (const secret of [canary, testKey, wrongKey]) {
      for (const form of [
        Buffer.from(secret),
        Buffer.from(secret, 'utf16le'),
        Buffer.from(Buffer.from(secret).toString('base64').replace(/=+$/, '')),
      ])
        for (const [place, bytes] of kept.entries())
          assert.equal(
            bytes.indexOf(form),
            -1,
            `${secret} is kept in ${files.filter(file => file.isFile())[place]!.name}`,
          )
    }
  })
  const after = product.printed()
  for (const printed of [stdout, stderr, after.stdout, after.stderr])
    for (const secret of [canary, testKey, wrongKey])
      assert.ok(!printed.includes(secret), `${secret} was printed: ${printed}`)
  assert.ok(after.stderr.includes('chat.completions.create'), 'the requests themselves were logged')
})

/** Asks for a stream and leaves after its first bytes. */
async function leave(port: number, body: object): Promise<void> {
  using wire = await openWire(port)
  wire.write(
    encode({
      path: '/v1/chat/completions',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${testKey}` },
    }),
  )
  assert.equal((await wire.head()).status, 200)
}
