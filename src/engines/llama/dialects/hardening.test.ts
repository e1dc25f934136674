import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Fault } from '../../../lib/faults.ts'
import type { CallFraming, Dialect } from './dialect.ts'
import { dialect, read, samples, tools } from './harness.ts'
import { dialectOf } from './index.ts'
import { keptMax } from './tape.ts'

describe('any text', () => {
  const files = [...new Set(samples.map(({ file }) => file))]

  it('is read without an exception, and the same however it is cut, over 10,000 mutations', () => {
    const chance = seeded(7)
    const scraps = [
      ...samples.map(({ text }) => text),
      '<think>',
      '</think>',
      '<tool_call>',
      '{"name": "now"',
      '\\u',
      '"',
      '}',
      '>>>',
      '\ud83d',
      ' \n',
      '<|message|>',
      '[ARGS]',
      '</parameter>',
      '```',
    ]
    for (let round = 0; round < 10_000; round++) {
      const text = mutated(pick(samples, chance).text, scraps, chance)
      const file = pick(files, chance)
      const options = { prompt: pick(['', '<think>\n', '>>>'], chance), ...(chance() < 0.1 ? { tools: [] } : {}) }
      const whole = read(file, [text], options)
      assert.deepEqual(read(file, cut(text, chance), options), whole, JSON.stringify([round, file, options, text]))
    }
  })

  it('loses nothing but white space and the marks of thoughts when there are no tools', () => {
    const chance = seeded(8)
    const scraps = samples.map(({ text }) => text)
    for (const file of files.filter(name => name !== 'harmony' && name !== 'functionary')) {
      const { thoughts, answer } = dialect(file)
      const marks = [...thoughts, answer].flatMap(({ open, close }) => [open, close]).filter(mark => mark !== '')
      const bare = (text: string) =>
        text.replaceAll(new RegExp(['\\s', ...marks.map(RegExp.escape)].join('|'), 'g'), '')
      for (const sample of samples) {
        const text = mutated(sample.text, scraps, chance)
        const parser = dialect(file).parser({ tools: [], prompt: '' })
        const said = [...parser.push(text), ...parser.end()].map(event => ('text' in event ? event.text : event.name))
        assert.equal(bare(said.join('')), bare(text), JSON.stringify([file, text]))
      }
    }
  })

  it('takes time in proportion to its length, and never holds back more than its bound', () => {
    const size = 200_000
    const seeds = [
      '<tool_call>',
      '<',
      ' ',
      '\n{',
      '{',
      '[',
      '{"name":"now","arguments":',
      '{"function":',
      '{"arguments":"',
      '```json',
      '>>>a',
      '<|channel|>',
      '[TOOL_CALLS]a',
      '<think>',
      '"\\u',
      '<function=a><parameter=b>',
      '<｜tool▁call▁begin｜>a<｜tool▁sep｜>',
      '<|tool_call_start|>[a(b=[',
      "<|tool_call_start|>[a(b='\\",
      '<|tool_call_start|>[now()]',
      '<|tool_call>call:a{b:[{c:',
      '<|tool_call>call:a{b:<|"|>',
      '<|calls_begin|><|call_begin|>functions.a:1',
      '<own:calls><invoke name="a"><parameter name="b" string="false">[',
      '<|tools_prefix|>[{"now":{',
      '<|START_ACTION|>[{"tool_name":"now",',
      '<|START_RESPONSE|>',
    ]
    for (const file of files)
      for (const seed of seeds) {
        const parser = dialect(file).parser({ tools, prompt: '' })
        const text = seed.repeat(Math.ceil(size / seed.length))
        const before = process.threadCpuUsage().user
        let most = 0
        for (let at = 0; at < text.length; at += 40) {
          const said = parser.push(text.slice(at, at + 40))
          most = Math.max(
            most,
            said.reduce((sum, event) => sum + ('text' in event ? event.text.length : 0), 0),
          )
        }
        parser.end()
        const millis = (process.threadCpuUsage().user - before) / 1000
        // What is quoted at last may become twice as long.
        assert.ok(most <= 2 * keptMax + 1000, `${file}, ${seed}: ${most} characters at once`)
        assert.ok(millis < 1000, `${file}, ${seed}: ${millis} ms`)
      }
  })
})

describe('any template', () => {
  it('has a dialect, and its replies are read without an exception, over 600 mutations', () => {
    const chance = seeded(9)
    const names = readdirSync(new URL('fixtures/', import.meta.url)).filter(name => name.endsWith('.jinja'))
    const sources = names.map(name => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8'))
    const scraps = [
      '<',
      '>',
      '|',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      ' ',
      '\n',
      '<a>',
      'name',
      'arguments',
      '{% if x %}',
      '{{ 1 }}',
    ]
    for (let round = 0; round < 600; round++) {
      const source = mutated(pick(sources, chance), scraps, chance)
      const made = dialectOf(source)
      const { framing } = forcedOf(made)
      for (const text of [pick(samples, chance).text, framing && framing.open + framing.before + framing.between]) {
        const parser = made.parser({ tools, prompt: '' })
        for (const piece of cut(mutated(text ?? '', scraps, chance), chance)) parser.push(piece)
        parser.end()
      }
    }
  })
})

describe('what may be a call', () => {
  it('is text when it grows beyond its bound', () => {
    for (const [start, rest] of [
      ['', '['],
      ['{"x": "', 'a'],
      ['{"arguments": ["', 'a'],
      ['<tool_call>', ' '],
    ] as const) {
      const parser = dialect('chatml').parser({ tools, prompt: '' })
      const text = start + rest.repeat(100_000)
      let given = 0
      let taken = 0
      for (let at = 0; at < text.length; at += 50) {
        const piece = text.slice(at, at + 50)
        taken += piece.length
        for (const event of parser.push(piece)) if ('text' in event) given += event.text.length
        assert.ok(taken - given <= keptMax + 1000, `${start}${rest}: ${taken - given} characters held back`)
      }
      for (const event of parser.end()) if ('text' in event) given += event.text.length
      assert.equal(given, taken)
    }
  })
})

function forcedOf(made: Dialect): { framing?: CallFraming } {
  try {
    const { forced } = made.choose({ tools, choice: 'required', parallel: true })
    return forced === null ? {} : { framing: forced.framing }
  } catch (error) {
    assert.ok(error instanceof Fault)
    return {}
  }
}

/** A small generator of our own, so that a failure can be repeated (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function pick<T>(items: readonly T[], chance: () => number): T {
  return items[Math.floor(chance() * items.length)] as T
}

function mutated(text: string, scraps: readonly string[], chance: () => number): string {
  let changed = text
  for (let times = Math.floor(chance() * 4); times >= 0; times--) {
    const at = Math.floor(chance() * (changed.length + 1))
    const length = Math.floor(chance() * 12)
    const kind = chance()
    if (kind < 0.3) changed = changed.slice(0, at) + changed.slice(at + length)
    else if (kind < 0.7) changed = changed.slice(0, at) + pick(scraps, chance) + changed.slice(at)
    else if (kind < 0.9)
      changed = changed.slice(0, at) + String.fromCharCode(32 + Math.floor(chance() * 95)) + changed.slice(at + 1)
    else changed = changed.slice(0, at)
  }
  return changed
}

function cut(text: string, chance: () => number): string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length; ) {
    const length = 1 + Math.floor(chance() * 9)
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}
