import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Fault } from '../../../../lib/faults.ts'
import { seededRandom } from '../../../../lib/random.ts'
import type { ChatMessage } from '../../../../wire/chat.ts'
import { matcher } from '../../grammar/harness.ts'
import { pythonJinja } from '../../jinja/harness.ts'
import { ChatTemplate } from '../../templates.ts'
import type { ToolsAsked } from '../dialect.ts'
import { dialectOf } from '../index.ts'
import {
  type Called,
  called,
  lima,
  missing,
  oslo,
  Published,
  published,
  publishedTemplates,
  readReply,
  result,
  tools,
  user,
} from './harness.ts'

const system: ChatMessage = { role: 'system', content: 'SYSTEM-1' }
const parts: ChatMessage = {
  role: 'user',
  content: [
    { type: 'text', text: 'PART-1' },
    { type: 'text', text: 'PART-2' },
  ],
}
const saying = (content: string, more: object = {}): ChatMessage => ({ role: 'assistant', content, ...more })

interface Scene {
  readonly messages: readonly ChatMessage[]
  readonly tools?: true
  /** What must show up in the prompt. */
  readonly shown: readonly string[]
}

const scenes: Readonly<Record<string, Scene>> = {
  'plain chat': { messages: [user('USER-1')], shown: ['USER-1'] },
  'several turns': {
    messages: [system, user('USER-1'), saying('SAID-1'), user('USER-2')],
    shown: ['SYSTEM-1', 'USER-1', 'SAID-1', 'USER-2'],
  },
  'a late system message': {
    messages: [system, user('USER-1'), saying('SAID-1'), { role: 'system', content: 'SYSTEM-2' }, user('USER-2')],
    shown: ['SYSTEM-1', 'USER-1', 'SAID-1', 'SYSTEM-2', 'USER-2'],
  },
  'untidy text, and a thought left in it': {
    messages: [user('  USER-1 \n'), saying('<think>\n OLD\n</think>\n\n  SAID-1 \n'), user('\n\tUSER-2')],
    shown: ['USER-1', 'SAID-1', 'USER-2'],
  },
  'content in parts': { messages: [parts], shown: ['PART-1', 'PART-2'] },
  'an earlier thought': {
    messages: [user('USER-1'), saying('SAID-1', { reasoning_content: 'THOUGHT-1' }), user('USER-2')],
    shown: ['SAID-1', 'USER-2'],
  },
  tools: {
    messages: [system, user('USER-1')],
    tools: true,
    shown: ['SYSTEM-1', 'USER-1', 'get_weather', 'Describes book_trip', 'city'],
  },
  'a call and its result': {
    messages: [user('USER-1'), called([oslo]), result(0, 'RESULT-1')],
    tools: true,
    shown: ['USER-1', 'Oslo', 'RESULT-1'],
  },
  'a call of before, without tools': {
    messages: [user('USER-1'), called([oslo]), result(0, 'RESULT-1')],
    shown: ['USER-1', 'Oslo', 'RESULT-1'],
  },
  'parallel calls, and the talk that goes on': {
    messages: [
      user('USER-1'),
      called([oslo, lima], { reasoning_content: 'THOUGHT-1' }),
      result(1, 'RESULT-2'),
      result(0, 'RESULT-1'),
      saying('SAID-1'),
      user('USER-2'),
    ],
    tools: true,
    shown: ['Oslo', 'Lima', 'RESULT-1', 'RESULT-2', 'SAID-1', 'USER-2'],
  },
}
const besides: Scene = {
  messages: [user('USER-1'), called([oslo], { content: 'SAID-1' }), result(0, 'RESULT-1')],
  tools: true,
  shown: ['SAID-1', 'Oslo', 'RESULT-1'],
}

const skip = await missing()
const templates = skip === false ? await publishedTemplates() : new Map<string, string>()
const random = seededRandom(11)

/** The text in pieces of one to nine characters. */
function cut(text: string): string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length; at += pieces.at(-1)?.length ?? 1)
    pieces.push(text.slice(at, at + 1 + (random.uint32() % 9)))
  return pieces
}

/** What Python's Jinja makes of the same, set up as in the transformers library. Null where there is no such Python. */
const python = skip === false ? await pythonJinja() : null
after(() => python?.stop())

describe('the published templates', { skip }, () => {
  it('are all in the table', () => {
    assert.deepEqual([...templates.keys()].sort(), Object.keys(published).sort())
  })
})

for (const [name, expected] of Object.entries(published)) {
  const source = templates.get(name)
  describe(`the published template ${name}`, { skip: skip || (source === undefined && 'it is not among them') }, () => {
    const template = new Published(source ?? '')
    const { dialect } = template.conversing
    const strange = expected.dialect === 'strange'
    const free = strange ? null : dialect.choose({ tools, choice: 'required', parallel: true }).forced
    const samples: [string, readonly Called[]][] = [['a call', [oslo]]]
    if (free?.framing.separator !== null) samples.push(['two calls', [oslo, lima]])

    it(`is told to be ${expected.dialect}`, () => assert.equal(dialect.family, expected.dialect))

    it('shows all of a conversation, and makes the model answer', () => {
      for (const [scene, { messages, tools: offered, shown }] of Object.entries(scenes)) {
        if (strange && offered) continue
        const prompt = template.prompt(messages, offered && tools)
        for (const text of shown) assert.ok(prompt.includes(text), `${scene}: ${text} is lost in ${prompt}`)
      }
      const asked = [user('USER-1')]
      assert.equal(template.prompt(asked) === template.history(asked), expected.unprompted === true)
      if (strange) return
      const prompt = template.prompt(besides.messages, tools)
      const lost = besides.shown.filter(text => !prompt.includes(text))
      assert.deepEqual(lost, expected.losesText ? ['SAID-1'] : [])
    })

    it('is rendered as Python’s Jinja renders it', {
      skip: python === null && 'there is no Python with Jinja',
    }, async () => {
      if (expected.python !== undefined) return
      for (const [scene, { messages, tools: offered }] of Object.entries({ ...scenes, besides })) {
        if (strange && offered) continue
        const shown = dialect.conversation(messages, offered ? tools : [])
        const variables = {
          messages: shown.messages,
          ...(shown.tools && { tools: shown.tools }),
          add_generation_prompt: true,
          bos_token: '<BOS>',
          eos_token: '<EOS>',
        }
        const theirs = await python?.render(source ?? '', variables)
        // Some fail without tools: here they get an empty list.
        if (theirs !== null || offered) assert.equal(template.prompt(messages, offered && tools), theirs, scene)
      }
    })

    if (strange) {
      it('refuses tools, and takes them where none may be called', () => {
        assert.throws(
          () => template.prepare([user('USER-1')], tools),
          (error: unknown) => error instanceof Fault && error.param === 'tools',
        )
        template.prepare([user('USER-1')], tools, 'none')
      })
    } else {
      for (const [what, calls] of samples)
        it(`writes ${what} that comes back as it was`, () => {
          for (let round = 0; round < 20; round++) {
            const { reply, parser } = template.turn(called(calls), calls.length === 1 ? '1.5' : 'alse')
            const read = readReply(parser, cut(reply))
            assert.deepEqual(read.calls, calls, reply)
            assert.equal(read.content.trim(), '', reply)
          }
        })

      it('demands calls by a grammar that takes its own, and no others', () => {
        const { grammar } = expected
        if (grammar === 'indented') return
        const flat = ({ name: of, arguments: given }: Called) => {
          const { where, ...others }: { where?: unknown } = { ...given }
          return {
            name: of,
            arguments: grammar === 'no nested objects' ? others : { ...others, ...(where ? { where } : {}) },
          }
        }
        for (const [what, calls] of samples) {
          if (grammar === 'frame left open by one call' && calls.length === 1) continue
          const given = calls.map(flat)
          const { reply } = template.turn(called(given), calls.length === 1 ? '2]' : 'alse')
          const [first] = given
          const named = { type: 'function' as const, function: { name: first?.name ?? '' } }
          const choices: ToolsAsked['choice'][] = calls.length === 1 ? ['required', named] : ['required']
          for (const choice of choices) {
            const { opening, grammar: make } = template.prepare([user('USER-1')], tools, choice)
            const start = opening.slice(dialect.thoughtEnd(template.prompt([user('USER-1')], tools)).length)
            const at = reply.indexOf(start)
            assert.notEqual(at, -1, `${start} is not in ${reply}`)
            const rest = reply.slice(at + start.length)
            const allowed = matcher(make() ?? '')
            assert.ok(allowed.matches(rest) || allowed.matches(rest.trimEnd()), `${what}: ${rest}`)
            if (calls.length === 1) assert.ok(!allowed.begins(rest.replace(/\b2\b/, 'two')), what)
            if (choice === 'required') assert.ok(!allowed.begins(rest.replace(first?.name ?? '', 'other')), what)
          }
        }
      })
    }

    it('leads to replies whose thought is no content', () => {
      const prepared = template.prepare([user('USER-1')])
      const prompt = prepared.pieces.map(({ text }) => text).join('')
      const end = dialect.thoughtEnd(prompt)
      const [{ open, close } = { open: '', close: '' }] = dialect.thoughts
      assert.equal(open === '', expected.thoughtless === true)
      if (expected.thoughtless) return
      const replies =
        end === ''
          ? [`${open}THOUGHT${close}${dialect.answer.open}ANSWER`]
          : [`THOUGHT${end}${dialect.answer.open}ANSWER`]
      const whole = template.history([user('USER-1'), saying('ANSWER', { reasoning_content: 'THOUGHT' })])
      // Where the template shows the thought of the last turn, its own words are the best sample.
      if (whole.includes('THOUGHT') && whole.startsWith(prompt)) {
        const tail = whole.slice(prompt.length)
        replies.push(tail.slice(0, tail.lastIndexOf('ANSWER') + 'ANSWER'.length))
      }
      for (const reply of replies) {
        const read = readReply(prepared.makeParser(), cut(reply))
        assert.deepEqual([read.reasoning.trim(), read.content.trim()], ['THOUGHT', 'ANSWER'], reply)
      }
    })
  })
}

describe('the budget of a template', { skip }, () => {
  it('is enough for 500 messages and 128 tools', () => {
    const messages = Array.from({ length: 500 }, (_, i) =>
      i % 2 === 0 ? user(`question ${i} `.repeat(20)) : saying(`answer ${i} `.repeat(20)),
    )
    const many = Array.from({ length: 128 }, (_, i) => ({
      type: 'function' as const,
      function: { ...tools[0]!.function, name: `tool_${i}` },
    }))
    for (const [name, source] of templates) {
      if (published[name]?.dialect === 'strange') continue
      const template = new Published(source)
      assert.ok(template.prompt(messages.slice(0, -1), many).includes('question 498'), name)
    }
  })

  it('stops what a change of a template makes of it', () => {
    for (const [name, source] of templates)
      for (let round = 0; round < 3; round++) {
        const at = random.uint32() % source.length
        const changed = source.slice(0, at) + source.slice(at + (random.uint32() % 40))
        const before = process.threadCpuUsage()
        dialectOf(changed)
        try {
          new ChatTemplate({ source: changed, bosText: '', eosText: '', controlSpellings: [] }).render([
            { role: 'user', content: 'Hi' },
          ])
        } catch (error) {
          assert.ok(error instanceof Error && !/unknown error/.test(error.message), `${name}: ${error}`)
        }
        const { user: cpu } = process.threadCpuUsage(before)
        assert.ok(cpu < 3_000_000, `${name}: ${cpu} µs`)
      }
  })
})
