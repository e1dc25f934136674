import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../lib/random.ts'
import { type Choosable, type Chosen, type PolicyName, policies } from './policies.ts'
import { conversationOf, hashOf } from './sticky.ts'

interface Named extends Choosable {
  name: string
}
const item = (name: string, more: Partial<Choosable> & { ms?: number; streamedMs?: number } = {}): Named => ({
  name,
  weight: 1,
  costUsd: undefined,
  hash: hashOf(name),
  running: 0,
  latencyMs: streamed => (streamed ? more.streamedMs : more.ms),
  ...more,
})
const plain: Chosen = { streamed: false, conversation: undefined }

/** How often each is chosen. */
function counts(policy: PolicyName, items: readonly [Named, ...Named[]], times: number, chosen = plain) {
  const random = seededRandom(9)
  const found = new Map<string, number>()
  for (let time = 0; time < times; time++) {
    const { name } = policies[policy](items, chosen, random)
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  return (name: string) => found.get(name) ?? 0
}

test('priority: the first of the list, always', () => {
  assert.equal(counts('priority', [item('a', { costUsd: 9 }), item('b', { weight: 99, costUsd: 0 })], 50)('a'), 50)
})

test('weighted: as often as the weights say', () => {
  const count = counts('weighted', [item('a', { weight: 3 }), item('b'), item('none', { weight: 0 })], 8000)
  assert.ok(Math.abs(count('a') - 6000) < 200, String(count('a')))
  assert.equal(count('a') + count('b'), 8000)
  assert.equal(counts('weighted', [item('x', { weight: 0 }), item('y', { weight: 0 })], 20)('x'), 20)
})

test('cost: the cheapest; those without a price come last, in their order', () => {
  assert.equal(counts('cost', [item('a'), item('b', { costUsd: 2 }), item('c', { costUsd: 1 })], 10)('c'), 10)
  assert.equal(counts('cost', [item('a'), item('b')], 10)('a'), 10)
  assert.equal(counts('cost', [item('a', { costUsd: 1 }), item('b', { costUsd: 1 })], 10)('a'), 10)
})

test('latency: the fastest, and now and then any', () => {
  const items = [item('slow', { ms: 90, streamedMs: 1 }), item('fast', { ms: 30, streamedMs: 5 })] as const
  const whole = counts('latency', items, 4000)
  assert.ok(whole('slow') > 140 && whole('slow') < 260, String(whole('slow')))
  assert.ok(counts('latency', items, 4000, { ...plain, streamed: true })('slow') > 3700, 'streams are another matter')
})

test('latency: those that nobody asked yet come first, the idle one before the busy one', () => {
  const items = [item('known', { ms: 1 }), item('busy', { running: 1 }), item('idle')] as const
  assert.ok(counts('latency', items, 1000)('idle') > 940)
})

test('sticky: a conversation has one target, conversations spread by weight, and only those of a lost target move', () => {
  const items: [Named, ...Named[]] = [item('a', { weight: 2 }), item('b'), item('c'), item('none', { weight: 0 })]
  const [a, b, c] = items
  const random = seededRandom(1)
  const found = new Map<string, number>()
  for (let number = 0; number < 8000; number++) {
    const chosen = { ...plain, conversation: hashOf(`conversation ${number}`) }
    const { name } = policies.weighted(items, chosen, random)
    found.set(name, (found.get(name) ?? 0) + 1)
    assert.equal(policies.weighted(items, chosen, random).name, name)
    const { name: without } = policies.weighted([a, b!], chosen, random)
    if (name !== c!.name) assert.equal(without, name)
  }
  assert.equal(found.get('none'), undefined)
  assert.ok(Math.abs(found.get('a')! - 4000) < 250 && Math.abs(found.get('b')! - 2000) < 250, String([...found]))
})

const user = (content: unknown) => ({ role: 'user', content })
const system = { role: 'system', content: 'Be brief.' }
const answer = { role: 'assistant', content: 'Yes?' }
const same: [name: string, one: object, other: object][] = [
  ['a longer conversation', { messages: [system, user('Hi')] }, { messages: [system, user('Hi'), answer, user('So')] }],
  ['parameters', { messages: [user('Hi')], temperature: 0 }, { messages: [user('Hi')], stream: true }],
  ['a key over everything', { prompt_cache_key: 'k', messages: [user('1')] }, { prompt_cache_key: 'k', prompt: '2' }],
  [
    'an image beside',
    { messages: [user([{ type: 'text', text: 'Hi' }])] },
    {
      messages: [
        user([
          { type: 'text', text: 'Hi' },
          { type: 'image_url', image_url: { url: 'data:' } },
        ]),
      ],
    },
  ],
  ['the end of a long prompt', { prompt: `${'x'.repeat(5000)}1` }, { prompt: `${'x'.repeat(5000)}2` }],
]
const different: [name: string, one: object, other: object][] = [
  ['another first message', { messages: [system, user('Hi')] }, { messages: [system, user('Ho')] }],
  ['another role', { messages: [system] }, { messages: [user('Be brief.')] }],
  ['another key', { prompt_cache_key: 'k' }, { prompt_cache_key: 'l' }],
  ['another prompt', { prompt: 'a' }, { prompt: 'b' }],
]
for (const [name, one, other] of same)
  test(`one conversation: ${name}`, () => assert.equal(conversationOf(one, 'org_1'), conversationOf(other, 'org_1')))
for (const [name, one, other] of different)
  test(`two conversations: ${name}`, () =>
    assert.notEqual(conversationOf(one, 'org_1'), conversationOf(other, 'org_1')))

test('two tenants never share a conversation, and embeddings have none', () => {
  assert.notEqual(
    conversationOf({ prompt_cache_key: 'k' }, 'org_1'),
    conversationOf({ prompt_cache_key: 'k' }, 'org_2'),
  )
  assert.equal(conversationOf({ input: 'a' }, 'org_1'), undefined)
  for (const odd of [{ messages: [null] }, { messages: [{}] }, { messages: [user(7)] }, { prompt_cache_key: '' }])
    assert.doesNotThrow(() => conversationOf(odd))
})
