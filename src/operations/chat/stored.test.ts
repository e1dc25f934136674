import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { validateReply } from '../../../test/spec/validate.ts'
import { scriptedEngine } from '../../engines/scripted.ts'
import { Fault } from '../../lib/faults.ts'
import { testCaller } from '../../platform/caller.fixture.ts'
import type { ChatRequest } from '../../wire/chat.ts'
import type { StoredCompletion, StoredMessage } from '../../wire/stored.ts'
import { deleteChatCompletion } from './delete.ts'
import { listChatCompletions } from './list.ts'
import { listChatCompletionMessages } from './list-messages.ts'
import { retrieveChatCompletion } from './retrieve.ts'
import { question, Setting } from './stored.fixture.ts'
import { updateChatCompletion } from './update.ts'

const setting = new Setting()
before(() => setting.open())
after(() => setting.close())
beforeEach(async () => {
  setting.engine = scriptedEngine()
  await setting.store.write(setting.store.build.deleteFrom('chat_completions'))
})

const refused = (status: number, param: string | null) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.deepEqual([error.status, error.param], [status, param])
  return true
}
const path = '/v1/chat/completions'

interface List<Item> {
  data: Item[]
  first_id: string | null
  last_id: string | null
  has_more: boolean
}
async function list(query: object = {}, context = setting.context()): Promise<List<StoredCompletion>> {
  const reply = await setting.json(listChatCompletions, { query }, context)
  assert.deepEqual(validateReply('2026-08-21', 'GET', path, 200, reply), [])
  return reply as List<StoredCompletion>
}
const ids = async (query: object = {}) => (await list(query)).data.map(({ id }) => id)
async function messages(id: string, query: object = {}): Promise<List<StoredMessage>> {
  const reply = await setting.json(listChatCompletionMessages, { id, query })
  assert.deepEqual(validateReply('2026-08-21', 'GET', `${path}/${id}/messages`, 200, reply), [])
  return reply as List<StoredMessage>
}
const update = async (id: string, body: unknown) =>
  (await setting.json(updateChatCompletion, { id, body })) as StoredCompletion
async function several(count: number, more: (i: number) => Partial<ChatRequest> = () => ({})): Promise<string[]> {
  const made: string[] = []
  for (let i = 0; i < count; i++) {
    made.push(await setting.ask(more(i)))
    setting.clock.advance(1)
  }
  return made
}

describe('the list of stored completions', () => {
  test('is in the order in which they were stored, the oldest first unless asked otherwise', async () => {
    const made = await several(3)
    assert.deepEqual(await ids(), made)
    assert.deepEqual(await ids({ order: 'desc' }), made.toReversed())
    assert.deepEqual((await list()).data[1], await setting.retrieve(made[1]!))
  })

  test('goes page by page, also where times are equal', async () => {
    for (let i = 0; i < 5; i++) await setting.ask()
    const all = await ids()
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = []
      for (let after: string | undefined, more = true; more; ) {
        const page = await list({ order, limit: 2, ...(after !== undefined && { after }) })
        seen.push(...page.data.map(({ id }) => id))
        assert.deepEqual([page.first_id, page.last_id], [page.data[0]?.id, page.data.at(-1)?.id])
        after = page.last_id ?? ''
        more = page.has_more
      }
      assert.deepEqual(seen, order === 'asc' ? all : all.toReversed())
    }
    assert.deepEqual(await list({ after: all.at(-1) }), {
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    })
  })

  test('holds 20 unless asked otherwise, 100 at most', async () => {
    await several(21)
    const page = await list()
    assert.deepEqual([page.data.length, page.has_more], [20, true])
    assert.equal((await list({ limit: 100 })).data.length, 21)
    for (const limit of [0, 101]) await assert.rejects(list({ limit }), refused(400, 'limit'))
    await assert.rejects(list({ after: 'chatcmpl-none' }), refused(400, 'after'))
  })

  test('is filtered by model: as it was asked for, and as it answered', async () => {
    const [one] = await several(1)
    setting.engine = scriptedEngine({ name: 'other' })
    const [other] = await several(1)
    assert.deepEqual(await ids({ model: 'words' }), [one, other])
    assert.deepEqual(await ids({ model: 'other' }), [other])
    assert.deepEqual(await ids({ model: 'scripted' }), [one])
    assert.deepEqual(await ids({ model: 'wor' }), [])
  })

  test('is filtered by metadata: all pairs must be there', async () => {
    const made = await several(4, i => ({ metadata: { parity: String(i % 2), number: String(i), 'a"b\u0000': 'c' } }))
    assert.deepEqual(await ids({ metadata: { parity: '1' } }), [made[1], made[3]])
    assert.deepEqual(await ids({ metadata: { parity: '1', number: '3' }, model: 'words' }), [made[3]])
    assert.deepEqual(await ids({ metadata: { parity: '0', number: '3' } }), [])
    assert.deepEqual(await ids({ metadata: { 'a"b\u0000': 'c' } }), made)
    assert.deepEqual(await ids({ metadata: { number: 'parity' } }), [])
    assert.deepEqual(await ids({ metadata: { parity: '0' }, limit: 1, after: made[0] }), [made[2]])
    assert.deepEqual(await ids({ metadata: {} }), made)
    assert.deepEqual(await ids({ metadata: { parity: '1' }, model: 'none' }), [])
  })

  test('ends a page early rather than reading many megabytes at once', async () => {
    setting.engine = scriptedEngine({ reply: 'x'.repeat(1_500_000) })
    const made = await several(4)
    const first = await list()
    assert.deepEqual([first.data.map(({ id }) => id), first.has_more], [made.slice(0, 2), true])
    const second = await list({ after: first.last_id })
    assert.deepEqual([second.data.map(({ id }) => id), second.has_more], [made.slice(2), false])
    setting.engine = scriptedEngine({ reply: 'x'.repeat(5_000_000) })
    const [huge] = await several(1)
    assert.deepEqual(await ids({ after: made[3] }), [huge])
  })
})

describe('metadata', () => {
  test('are replaced, and found by what they are then', async () => {
    const [id = ''] = await several(1, () => ({ metadata: { a: '1', b: '2' } }))
    const before = await setting.retrieve(id)
    const changed = await update(id, { metadata: { a: '3' } })
    assert.deepEqual(validateReply('2026-08-21', 'POST', `${path}/${id}`, 200, changed), [])
    assert.deepEqual(changed, { ...before, metadata: { a: '3' } })
    assert.deepEqual(await setting.retrieve(id), changed)
    assert.deepEqual(await ids({ metadata: { a: '3' } }), [id])
    for (const old of [{ a: '1' }, { b: '2' }]) assert.deepEqual(await ids({ metadata: old }), [])
    assert.deepEqual(await ids({ model: 'words' }), [id])
    assert.deepEqual((await update(id, { metadata: null })).metadata, {})
    assert.deepEqual(await setting.counts(), [1, 2])
  })

  test('are all that can be changed, within their bounds', async () => {
    const [id = ''] = await several(1)
    await assert.rejects(update(id, {}), refused(400, 'metadata'))
    await assert.rejects(update(id, { metadata: {}, model: 'x' }), refused(400, 'model'))
    await assert.rejects(update(id, { metadata: { a: 1 } }), refused(400, 'metadata.a'))
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, '']))
    await assert.rejects(update(id, { metadata: many }), refused(400, 'metadata'))
    await assert.rejects(setting.ask({ metadata: many }), refused(400, 'metadata'))
  })
})

test('a deleted completion is gone with its messages and labels', async () => {
  const [id = '', other = ''] = await several(2, () => ({ metadata: { a: '1' } }))
  const reply = await setting.json(deleteChatCompletion, { id })
  assert.deepEqual(validateReply('2026-08-21', 'DELETE', `${path}/${id}`, 200, reply), [])
  assert.deepEqual(reply, { id, object: 'chat.completion.deleted', deleted: true })
  assert.deepEqual(await ids({ metadata: { a: '1' } }), [other])
  assert.deepEqual(await setting.counts(), [1, 3])
  for (const again of [
    setting.retrieve(id),
    messages(id),
    update(id, { metadata: {} }),
    setting.json(deleteChatCompletion, { id }),
  ])
    await assert.rejects(again, refused(404, null))
})

describe('the messages of a completion', () => {
  test('are those of the request, with ids of their own', async () => {
    const id = await setting.ask({
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'one' }], name: 'ann' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', content: 'two', tool_call_id: 'call_1' },
        { role: 'user', content: 'a\u0000b' },
      ],
    })
    const { data, first_id, last_id, has_more } = await messages(id)
    const plain = { content_parts: null, name: null, refusal: null }
    assert.deepEqual(data, [
      { ...plain, id: `${id}-0`, role: 'developer', content: 'Be brief.' },
      {
        ...plain,
        id: `${id}-1`,
        role: 'user',
        content: null,
        content_parts: [{ type: 'text', text: 'one' }],
        name: 'ann',
      },
      {
        ...plain,
        id: `${id}-2`,
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { ...plain, id: `${id}-3`, role: 'tool', content: 'two', tool_call_id: 'call_1' },
      { ...plain, id: `${id}-4`, role: 'user', content: 'a\u0000b' },
    ])
    assert.deepEqual([first_id, last_id, has_more], [`${id}-0`, `${id}-4`, false])
  })

  test('go page by page in either order', async () => {
    const many = Array.from({ length: 25 }, (_, i) => ({ role: 'user' as const, content: String(i) }))
    const id = await setting.ask({ messages: many })
    const texts = async (query: object) => (await messages(id, query)).data.map(({ content }) => Number(content))
    const first = await messages(id)
    assert.deepEqual([first.data.length, first.has_more, first.last_id], [20, true, `${id}-19`])
    assert.deepEqual(await texts({ after: `${id}-19` }), [20, 21, 22, 23, 24])
    assert.deepEqual(await texts({ order: 'desc', limit: 2 }), [24, 23])
    assert.deepEqual(await texts({ order: 'desc', limit: 2, after: `${id}-1` }), [0])
    assert.deepEqual((await messages(id, { after: `${id}-24` })).data, [])
    for (const after of [`${id}-25`, 'other-0', `${id}-01`])
      await assert.rejects(messages(id, { after }), refused(400, 'after'))
  })
})

test('another project sees nothing of it, in the words for what is not there', async () => {
  const [id = ''] = await several(1, () => ({ metadata: { a: '1' } }))
  const stranger = setting.context({ caller: testCaller({ projectId: 'proj_2' }) })
  for (const query of [{}, { model: 'words' }, { metadata: { a: '1' } }])
    assert.deepEqual((await list(query, stranger)).data, [])
  await assert.rejects(list({ after: id }, stranger), refused(400, 'after'))
  const told = async (asked: Promise<unknown>) =>
    asked.then(
      () => assert.fail('it was there'),
      (error: unknown) => {
        assert.ok(error instanceof Fault, String(error))
        return [error.status, error.body()]
      },
    )
  const missing = 'chatcmpl-none'
  const body = { metadata: { mine: 'now' } }
  for (const run of [
    (id: string) => setting.json(retrieveChatCompletion, { id }, stranger),
    (id: string) => setting.json(listChatCompletionMessages, { id }, stranger),
    (id: string) => setting.json(updateChatCompletion, { id, body }, stranger),
    (id: string) => setting.json(deleteChatCompletion, { id }, stranger),
  ]) {
    const [status, words] = await told(run(id))
    assert.equal(status, 404)
    assert.deepEqual(JSON.parse(JSON.stringify(words).replaceAll(id, missing)), (await told(run(missing)))[1])
    assert.equal((await told(run('\u0000')))[0], 404)
    assert.equal((await told(run('x'.repeat(5000))))[0], 404)
  }
  assert.deepEqual((await setting.retrieve(id)).metadata, { a: '1' })
})

test('what was stored is there after a restart', async () => {
  const [id = ''] = await several(1, () => ({ metadata: { a: '1' } }))
  const before = await setting.retrieve(id)
  await setting.restart()
  assert.deepEqual(await setting.retrieve(id), before)
  assert.equal((await messages(id)).data.length, question.messages.length)
})
