import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encoderModel } from '../../../test/models/encoders.ts'
import { bytesOf, stored, tinyAdapter, tinyModel } from '../../../test/models/make.ts'
import { systemClock } from '../../lib/clock.ts'
import { Fault } from '../../lib/faults.ts'
import { silentLog } from '../../lib/log.ts'
import type { Call } from '../engine.ts'
import { type LlamaOptions, llamaEngine } from './index.ts'

const file = async (source: Parameters<typeof bytesOf>[0]) => stored(bytesOf(source))
const base = await file(tinyModel())
const adapter = await file(tinyAdapter())

const call: Call = {
  id: 'cmpl-1',
  created: 1,
  signal: new AbortController().signal,
  log: silentLog,
  seed: 3,
  meter: { input: () => {}, output: () => {} },
}

async function reply(options: Partial<LlamaOptions>): Promise<{ text: string; fingerprint: string | undefined }> {
  const engine = llamaEngine({
    name: 'm',
    file: base,
    threads: 1,
    context: 512,
    clock: systemClock,
    log: silentLog,
    ...options,
  })
  try {
    let text = ''
    let fingerprint: string | undefined
    const request = { model: 'm', prompt: 'Shall I compare thee', temperature: 0, max_tokens: 24 }
    for await (const chunk of engine.complete?.(request, call) ?? []) {
      text += chunk.choices[0]?.text ?? ''
      fingerprint = chunk.system_fingerprint
    }
    return { text, fingerprint }
  } finally {
    await engine.close()
  }
}

describe('a LoRA adapter', () => {
  it('changes the replies of its base, and at a scale of 0 nothing', async () => {
    const plain = await reply({})
    const adapted = await reply({ adapter })
    const without = await reply({ adapter, scale: 0 })
    const stronger = await reply({ adapter, scale: 4 })
    assert.notEqual(adapted.text, plain.text)
    assert.notEqual(stronger.text, adapted.text)
    assert.equal(without.text, plain.text)
    assert.equal((await reply({ adapter })).text, adapted.text)
    const prints = [plain, adapted, without, stronger].map(({ fingerprint }) => fingerprint)
    assert.equal(new Set(prints).size, 4)
  })

  it('that cannot be used is told in the words of an operator, without a path', async () => {
    const bad: [string, string, RegExp][] = [
      ['absent', '/nowhere/adapter.gguf', /adapter cannot be used: The file does not exist/],
      ['text', await stored(Buffer.from('hello world, this is no adapter')), /adapter cannot be used: .*GGUF/],
      ['a model', base, /it is no LoRA adapter|no adapter but: model/],
      ['another kind', await file(tinyAdapter({ type: 'other' })), /no LoRA adapter but: other/],
      [
        'for another architecture',
        await file(tinyAdapter({ architecture: 'qwen2' })),
        /'qwen2', the model is of 'llama'/,
      ],
      [
        'for a larger model',
        await file(tinyAdapter({ block: 7 })),
        /'blk\.7\.attn_q\.weight', which the model does not/,
      ],
      ['of other sizes', await file(tinyAdapter({ dimensions: 32 })), /adapter cannot be used: /],
      ['for an encoder', await file(encoderModel()), /no adapter but: model/],
    ]
    for (const [what, path, reason] of bad)
      await assert.rejects(reply({ adapter: path }), (error: unknown) => {
        assert.ok(error instanceof Fault, what)
        assert.deepEqual([error.status, error.code], [500, 'model_load_failed'])
        assert.match(error.message, reason, what)
        assert.doesNotMatch(error.message, /parlance-test-models|nowhere/, what)
        return true
      })
  })
})
