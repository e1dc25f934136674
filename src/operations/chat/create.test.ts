import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { scriptedEngine } from '../../engines/scripted.ts'
import { terminal } from '../../platform/audit.ts'
import { testCaller } from '../../platform/caller.fixture.ts'
import { execute } from '../../platform/execute.ts'
import { recordingLedger } from '../../platform/ledger/recording.fixture.ts'
import { makeModels, type Target } from '../../platform/models.ts'
import type { Operation } from '../../platform/operation.ts'
import { free } from '../../platform/prices.ts'
import { testServices } from '../../platform/services.fixture.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import { createChatCompletion } from './create.ts'

const engine = scriptedEngine({ name: 'words' })
const { abilities } = engine
const target: Target = { name: 'words', ownedBy: 'test', created: 1, price: free, abilities, open: () => engine }
const ledger = recordingLedger()
const settled = ledger.settlements
const services = await testServices(makeModels([target], {}), { ledger })
after(() => services.close())

test('the end user of the usage is the one that the request names, by either name', async () => {
  const endUser = async (more: Partial<ChatRequest>) => {
    await execute(
      createChatCompletion as Operation,
      {
        body: { model: 'words', messages: [{ role: 'user', content: 'Hi' }], ...more },
        bytes: 100,
        params: {},
        query: {},
        caller: testCaller(),
        from: terminal,
        signal: new AbortController().signal,
        wants: 'values',
      },
      services,
    )
    return settled.at(-1)?.endUser
  }
  assert.equal(await endUser({}), null)
  assert.equal(await endUser({ safety_identifier: 'h4sh' }), 'h4sh')
  assert.equal(await endUser({ user: 'ann', safety_identifier: 'h4sh' }), 'ann')
})
