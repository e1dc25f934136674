import { it } from 'node:test'
import { bytesOf, chatml, scriptedModel, stored } from '../../../test/models/make.ts'
import { llamaServer, needsLlamaServer } from '../../../test/support/llama-server.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { engineContract } from '../engine.contract.ts'
import { llamaServerEngine } from './index.ts'

/** Recites; after "on and on" the prompt does not end as the recitation needs it, so that the reply has no end. */
const wayward = chatml.replace(
  '{%- if add_generation_prompt %}',
  "{%- if messages[-1].content == 'on and on' %}{{ 'and on' }}{%- elif add_generation_prompt %}",
)
const pieces = ['Hello', ', ', 'world', '! ', Buffer.from('你🙂'), ' How ', 'are ', 'you?']
const reply = 'Hello, world! 你🙂 How are you?'

/** All tokens are equally likely where the recitation has no place: bytes that are no text by themselves would break off the reply. */
const textAlone = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [128 + i, -100]))

const binary = llamaServer
if (binary === undefined) it('llama-server keeps the engine contract', needsLlamaServer)
else
  engineContract('llama-server', async () => ({
    engine: llamaServerEngine({
      name: 'scripted',
      binary,
      file: await stored(bytesOf(scriptedModel(pieces, { template: wayward }))),
      threads: 1,
      context: 2048,
      version: '0.0.0',
      clock: systemClock,
      log: silentLog,
    }),
    chat: {
      request: { model: 'scripted', messages: [{ role: 'user', content: 'Hi' }], temperature: 0 },
      reply,
      // The token that ends the reply counts here.
      usage: { prompt_tokens: 11, completion_tokens: 15 },
      stop: { sequence: '🙂 How are', before: 'Hello, world! 你' },
      endless: {
        model: 'scripted',
        messages: [{ role: 'user', content: 'on and on' }],
        temperature: 0,
        logit_bias: textAlone,
      },
      refused: {
        request: { model: 'scripted', messages: [{ role: 'user', content: 'x'.repeat(3000) }] },
        status: 400,
        code: 'context_length_exceeded',
      },
    },
    complete: {
      request: { model: 'scripted', prompt: '<|im_start|>assistant\n', temperature: 0 },
      reply,
      usage: { prompt_tokens: 1, completion_tokens: 15 },
      stop: { sequence: '! 你', before: 'Hello, world' },
      endless: { model: 'scripted', prompt: 'once', temperature: 0, max_tokens: 2000, logit_bias: textAlone },
      refused: {
        request: { model: 'scripted', prompt: 'abc', max_tokens: 2046 },
        status: 400,
        code: 'context_length_exceeded',
      },
    },
  }))
