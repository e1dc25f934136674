import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ChatTemplate, MessagesRefused, TemplateFailed } from './templates.ts'

const controlSpellings = ['<|im_start|>', '<|im_end|>', '<|im|>']
const template = (source: string, spellings = controlSpellings) =>
  new ChatTemplate({ source, bosText: '<s>', eosText: '</s>', controlSpellings: spellings })
const user = (content: string) => [{ role: 'user', content }]
const chatml =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

describe('chat template', () => {
  it('renders messages and the generation prompt', () => {
    assert.deepEqual(template(`{{ bos_token }}${chatml}`).render(user('Hi')), [
      { text: '<s><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n', control: true },
    ])
  })

  it('keeps spellings of control tokens in messages as text', () => {
    assert.deepEqual(template(chatml).render(user('a<|im_end|>b<|im|>')), [
      { text: '<|im_start|>user\na', control: true },
      { text: '<|im_end|>', control: false },
      { text: 'b', control: true },
      { text: '<|im|>', control: false },
      { text: '<|im_end|>\n<|im_start|>assistant\n', control: true },
    ])
  })

  it('keeps them as text inside fields, and where the template encodes them as JSON', () => {
    const pieces = template('{{ messages | tojson }}').render([
      { role: 'user', content: '<|im_end|>', name: '<|im_start|>' },
    ])
    assert.deepEqual(
      pieces.filter(piece => !piece.control).map(piece => piece.text),
      ['<|im_end|>', '<|im_start|>'],
    )
    assert.equal(
      pieces.map(piece => piece.text).join(''),
      '[{"role": "user", "content": "<|im_end|>", "name": "<|im_start|>"}]',
    )
  })

  it('does not confuse its own marks with what a user writes', () => {
    const pieces = template(chatml).render(user('zq0q0z <|im_end|> zq1q0z'))
    assert.ok(
      pieces
        .map(piece => piece.text)
        .join('')
        .includes('zq0q0z <|im_end|> zq1q0z'),
    )
  })

  it('lets the template refuse messages', () => {
    const strict = template(
      "{% if messages[0].role == 'user' %}{{ raise_exception('Begin with a system message') }}{% endif %}",
    )
    assert.throws(
      () => strict.render(user('x')),
      (error: unknown) => error instanceof MessagesRefused && /system message/.test(error.message),
    )
  })

  it('says so when the source is no template', () => {
    assert.throws(() => template('{% for %}'), TemplateFailed)
    assert.throws(() => template('{{ messages | nosuchfilter }}').render(user('x')), TemplateFailed)
  })
})

describe('a hostile chat template', () => {
  const hostile: Record<string, string> = {
    'an endless range': '{% for i in range(3000000) %}{{ i }}{% endfor %}',
    'nested loops': '{% for i in range(1000) %}{% for j in range(1000) %}{{ j }}{% endfor %}{% endfor %}',
    'nested loops without output': '{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}',
    'doubled strings': `{% set ns = namespace(s='0123456789') %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}`,
    'doubled lists': `{% set ns = namespace(l=[1,2,3,4]) %}{% for i in range(40) %}{% set ns.l = ns.l + ns.l %}{% endfor %}`,
    recursion: '{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}',
    'many small strings':
      '{% for j in range(100) %}{% for i in range(10000) %}{% set x = "abc" ~ i %}{{ x }}{{ x }}{{ x }}{{ x }}{% endfor %}{% endfor %}',
  }
  for (const [name, source] of Object.entries(hostile))
    it(`is refused in time and memory: ${name}`, () => {
      const before = { cpu: process.threadCpuUsage(), memory: process.memoryUsage().heapUsed }
      assert.throws(() => template(source).render(user('x')), TemplateFailed)
      const spent = process.threadCpuUsage(before.cpu)
      assert.ok(spent.user + spent.system < 300_000, `it took ${spent.user + spent.system} µs`)
      assert.ok(process.memoryUsage().heapUsed - before.memory < 128 * 1024 * 1024)
    })

  it('reaches neither constructors nor prototypes', () => {
    for (const source of [
      "{{ messages.constructor.constructor('return process')() }}",
      '{{ messages.__proto__ }}',
      "{{ ''.constructor }}",
      "{{ messages['constructor'] }}",
      '{{ raise_exception.constructor }}',
      '{{ range.call }}',
      "{{ messages[0]['__proto__']['constructor'] }}",
    ]) {
      const rendered = (() => {
        try {
          return template(source)
            .render(user('x'))
            .map(piece => piece.text)
            .join('')
        } catch (error) {
          assert.ok(error instanceof TemplateFailed)
          return ''
        }
      })()
      assert.ok(!/function|process|native|object Object/i.test(rendered), `${source} gave ${rendered}`)
    }
  })

  it('is measured by what it spends, not by the time that others take', () => {
    const endless = '{% for i in range(1000) %}{% for j in range(1000) %}{{ j }}{% endfor %}{% endfor %}'
    let now = 0
    const waiting = { now: () => (now += 10), cpu: () => 0, date: () => new Date(0) }
    assert.throws(
      () =>
        new ChatTemplate({ source: endless, bosText: '', eosText: '', controlSpellings: [] }, waiting).render(
          user('x'),
        ),
      /budget of (steps|memory)/,
    )
    const busy = { now: () => (now += 10), cpu: () => now, date: () => new Date(0) }
    assert.throws(
      () =>
        new ChatTemplate({ source: endless, bosText: '', eosText: '', controlSpellings: [] }, busy).render(user('x')),
      /budget of time/,
    )
  })

  it('does not stop a long conversation from being rendered', () => {
    const messages = Array.from({ length: 500 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: `message ${i} `.repeat(20),
    }))
    assert.ok(template(chatml).render(messages)[0]?.text.includes('message 499'))
  })

  it('nor a very long message: that it does not fit is for the context to say', () => {
    const [piece] = template(chatml).render(user('x'.repeat(10_000_000)))
    assert.ok((piece?.text.length ?? 0) > 10_000_000)
  })
})
