import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { validateReply } from '../../test/spec/validate.ts'
import type { Engine } from '../engines/engine.ts'
import { scriptedEngine } from '../engines/scripted.ts'
import { Fault } from '../lib/faults.ts'
import { terminal } from '../platform/audit.ts'
import { testCaller } from '../platform/caller.fixture.ts'
import { execute } from '../platform/execute.ts'
import { recordingLedger } from '../platform/ledger/recording.fixture.ts'
import { makeModels, type Target } from '../platform/models.ts'
import type { Operation } from '../platform/operation.ts'
import { free } from '../platform/prices.ts'
import { testServices } from '../platform/services.fixture.ts'
import { createEdit } from './edits/create.ts'
import { completeWithEngine } from './engines/complete.ts'
import { embedWithEngine } from './engines/embed.ts'
import { listEngines } from './engines/list.ts'
import { retrieveEngine } from './engines/retrieve.ts'

const asked: string[] = []
const target = (name: string, engine: Engine): Target => ({
  name,
  ownedBy: 'test',
  created: 1_700_000_000,
  price: free,
  abilities: engine.abilities,
  open: () => engine,
})
const echo = scriptedEngine({
  name: 'words',
  reply: prompt => {
    asked.push(prompt)
    return 'What day of the week is it?'
  },
})
const ledger = recordingLedger()
const settled = ledger.settlements
const models = makeModels([target('words', echo)], { 'text-davinci-edit-001': 'words' })
const services = await testServices(models, { ledger })
after(() => services.close())
const caller = testCaller()

async function run(operation: Operation<never, never>, body: unknown, params: Record<string, string> = {}) {
  const request = {
    body,
    bytes: 100,
    params,
    query: {},
    caller,
    from: terminal,
    signal: new AbortController().signal,
    wants: 'values' as const,
  }
  const reply = await execute(operation as Operation, request, services)
  assert.equal(reply.kind, 'json')
  return reply.kind === 'json' ? reply.value : {}
}
const refused = (status: number, param: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param], [status, param])
  return true
}

test('a text is edited by a chat model, in the form of 2023', async () => {
  const edit = await run(createEdit, {
    model: 'text-davinci-edit-001',
    input: 'What day of the wek is it?',
    instruction: 'Fix the spelling mistakes.',
    n: 2,
  })
  assert.deepEqual(validateReply('2023-06-19', 'POST', '/v1/edits', 200, edit), [])
  const { choices, object } = edit as { object: string; choices: unknown[] }
  assert.equal(object, 'edit')
  assert.deepEqual(choices, [
    { text: 'What day of the week is it?', index: 0 },
    { text: 'What day of the week is it?', index: 1 },
  ])
  assert.match(asked.at(-1) ?? '', /Fix the spelling mistakes\.[\s\S]*What day of the wek is it\?/)
  assert.equal(settled.at(-1)?.operation, 'edits.create')
  assert.ok((settled.at(-1)?.reading.total.output ?? 0) > 0)
  await run(createEdit, { model: 'words', instruction: 'Write a haiku.' })
})

test('an edit is refused without an instruction, beyond its bounds, and with parameters it does not have', async () => {
  await assert.rejects(run(createEdit, { model: 'words' }), refused(400, 'instruction'))
  await assert.rejects(run(createEdit, { model: 'words', instruction: 'x', n: 21 }), refused(400, 'n'))
  await assert.rejects(run(createEdit, { model: 'words', instruction: 'x', stop: 'y' }), refused(400, 'stop'))
})

test('models are listed and described as engines', async () => {
  const list = await run(listEngines, undefined)
  assert.deepEqual(validateReply('2023-06-19', 'GET', '/v1/engines', 200, list), [])
  assert.deepEqual(
    (list as { data: { id: string }[] }).data.map(({ id }) => id),
    ['words', 'text-davinci-edit-001'],
  )
  const one = await run(retrieveEngine, undefined, { model: 'words' })
  assert.deepEqual(validateReply('2023-06-19', 'GET', '/v1/engines/words', 200, one), [])
  assert.deepEqual(one, { id: 'words', object: 'engine', created: 1_700_000_000, owner: 'test', ready: true })
  await assert.rejects(run(retrieveEngine, undefined, { model: 'none' }), refused(404, null))
})

test('an engine completes and embeds, its model named by the path', async () => {
  const params = { model: 'words' }
  const completion = await run(completeWithEngine, { prompt: 'Hi' }, params)
  assert.deepEqual(validateReply('2023-06-19', 'POST', '/v1/engines/words/completions', 200, completion), [])
  const vectors = await run(embedWithEngine, { input: 'Hi' }, params)
  assert.deepEqual(validateReply('2023-06-19', 'POST', '/v1/engines/words/embeddings', 200, vectors), [])
  assert.equal(settled.at(-1)?.requestedModel, 'words')
  await run(completeWithEngine, { prompt: 'Hi', model: 'words' }, params)
  await assert.rejects(run(completeWithEngine, { prompt: 'Hi', model: 'other' }, params), refused(400, 'model'))
  await assert.rejects(run(completeWithEngine, { prompt: 'Hi' }, { model: 'other' }), refused(404, null))
  await assert.rejects(run(completeWithEngine, { prompt: 5 }, params), refused(400, 'prompt'))
})
