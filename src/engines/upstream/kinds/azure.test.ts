/** Azure OpenAI as an upstream: its two ways in, what its filter says, and versions that know less. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { jsonAnswer, stream, streamThenSilence } from '../../../../test/hostile/scripts.ts'
import { assertNothingLeaks, chat, faultOf, relayed, streamedChat, textOf } from '../../../../test/hostile/setting.ts'
import { testCall } from '../../../../test/hostile/sinks.ts'
import type { Script } from '../../../../test/hostile/upstream.ts'
import {
  azureDeployment,
  azureKey,
  azureModel,
  filterFinding,
  forbiddenWord,
  startAzure,
} from '../../../../test/support/azure.ts'
import { silentLog } from '../../../lib/log.ts'
import type { ChatChunk } from '../../../wire/chat.ts'
import { type UpstreamOptions, upstreamEngine, upstreamPool } from '../index.ts'

async function azure(t: TestContext, more: Partial<UpstreamOptions> = {}, path = '', script?: Script) {
  const fake = await startAzure()
  if (script !== undefined) fake.resource.script = script
  const pool = upstreamPool(fake.resource.origin)
  t.after(async () => {
    await pool.close()
    await fake.close()
  })
  const engine = upstreamEngine({
    ...{ name: 'big', kind: 'azure', baseUrl: fake.resource.origin + path, target: azureDeployment },
    ...{ apiKey: azureKey, version: '0.0.0', log: silentLog, pool, ...more },
  })
  return { ...fake, engine }
}

const asksUsage = { stream_options: { include_usage: true } }

for (const [path, version, asked] of [
  ['', undefined, '/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21'],
  ['/openai/', '2025-01-01-preview', '/openai/deployments/gpt%204o/chat/completions?api-version=2025-01-01-preview'],
  ['/openai/v1', undefined, '/openai/v1/chat/completions'],
] as const)
  test(`a deployment under \`${path}\` answers documents and streams`, async t => {
    const { resource, engine } = await azure(t, version === undefined ? {} : { apiVersion: version }, path)
    const document = JSON.parse(textOf(await relayed(engine, chat)))
    assert.deepEqual([document.model, document.choices[0].message.content], [azureModel, 'Hello there'])
    assert.deepEqual(document.prompt_filter_results[0].content_filter_results.hate.severity, 'safe')
    const call = testCall()
    const text = textOf(await relayed(engine, { ...streamedChat, ...asksUsage }, call))
    assert.match(text, /^data: \{"id":""/, 'what its filter says comes first')
    assert.match(text, /"total_tokens":11\}\}\n\ndata: \[DONE\]\n\n$/)
    assert.deepEqual(call.spent, { input: 9, output: 2 })
    for (const { headers, path: at, body } of resource.received) {
      assert.equal(at, asked)
      assert.deepEqual([headers['api-key'], headers.authorization], [azureKey, undefined])
      assert.equal(JSON.parse(body).model, azureDeployment)
    }
  })

test('a version that knows no usage in streams is not asked for it, and the tokens are counted here', async t => {
  const { resource, engine } = await azure(t, { apiVersion: '2024-06-01' })
  const call = testCall()
  const text = textOf(await relayed(engine, { ...streamedChat, ...asksUsage }, call))
  assert.equal('stream_options' in JSON.parse(resource.received[0]?.body ?? ''), false)
  const [, last = ''] = /data: (\{[^\n]*)\n\ndata: \[DONE\]\n\n$/.exec(text) ?? []
  const { choices, usage, model } = JSON.parse(last)
  assert.deepEqual([choices, usage.completion_tokens, model], [[], 2, azureModel])
  assert.equal(call.spent.output, 2)
})

test('chunks have the names of the reply, not those of the event of the filter, whose finding stays', async t => {
  const { engine } = await azure(t)
  const chunks: ChatChunk[] = []
  for await (const chunk of engine.chat?.(chat, testCall()) ?? []) chunks.push(chunk)
  assert.equal(new Set(chunks.map(({ model }) => model)).size, 1)
  const found = chunks.filter(chunk => 'prompt_filter_results' in chunk)
  assert.deepEqual([found.length, found[0] === chunks[0], chunks[0]?.model], [1, true, azureModel])
})

test('what the filter found reaches the caller, and nothing of the address does', async t => {
  const { resource, engine } = await azure(t)
  const refused = faultOf(
    await relayed(engine, { ...chat, messages: [{ role: 'user', content: `something ${forbiddenWord}` }] }),
  )
  assert.deepEqual([refused.status, refused.code, refused.param], [400, 'content_filter', 'prompt'])
  assert.deepEqual(refused.details, { innererror: filterFinding })
  assert.deepEqual(refused.with({ 'x-a': 'b' }).body().error, refused.body().error)
  resource.script = (wire, request) =>
    jsonAnswer(400, {
      error: { message: 'No.', code: 'content_filter', innererror: { at: `http://${request.headers.host}/x` } },
    })(wire, request)
  const scrubbed = faultOf(await relayed(engine, chat))
  assert.deepEqual(scrubbed.details, { innererror: { at: '[upstream]x' } })
  assertNothingLeaks(JSON.stringify(scrubbed.body()), resource.port)
  for (const innererror of ['words', { much: 'x'.repeat(20_000) }]) {
    resource.script = jsonAnswer(400, { error: { message: 'No.', code: 'content_filter', innererror } })
    assert.equal(faultOf(await relayed(engine, chat)).details, undefined)
  }
})

test('a wrong key, a deployment that does not exist and a wrong address are told apart', async t => {
  const wrong = await azure(t, { apiKey: 'another' })
  assert.equal(faultOf(await relayed(wrong.engine, chat)).code, 'upstream_refused_key')
  const missing = await azure(t, { target: 'nothing' })
  const refused = faultOf(await relayed(missing.engine, chat))
  assert.deepEqual([refused.status, refused.code], [404, 'DeploymentNotFound'])
  const { engine } = await azure(t, {}, '/elsewhere')
  assert.equal(faultOf(await relayed(engine, chat)).status, 404)
})

const filtered = 'data: {"id":"","object":"","choices":[],"prompt_filter_results":[]}\n\n'

test('a stream has begun with its first choice: what fails before is an ordinary error', async t => {
  const failing = await azure(t, {}, '', stream([filtered, 'data: {"error":{"message":"No.","code":"429"}}\n\n']))
  const refused = faultOf(await relayed(failing.engine, streamedChat))
  assert.deepEqual([refused.status, refused.code], [429, '429'])
  const cut = await azure(t, {}, '', stream([filtered]))
  assert.equal(faultOf(await relayed(cut.engine, streamedChat)).code, 'upstream_interrupted')
  const late = await azure(t, { timeouts: { firstByteMs: 60 } }, '', streamThenSilence([filtered]))
  assert.equal(faultOf(await relayed(late.engine, streamedChat)).code, 'upstream_timeout')
})
