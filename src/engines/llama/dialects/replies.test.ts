import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dialect, hermes, lima, oslo, read, samples, short, tools } from './harness.ts'

describe('a generated reply', () => {
  for (const { name, file, text, said, options } of samples)
    it(`is read: ${name} (${file})`, () => {
      assert.deepEqual(read(file, [text], options), said)
      for (let at = 1; at < text.length; at++)
        assert.deepEqual(read(file, [text.slice(0, at), text.slice(at)], options), said, `cut at ${at}`)
      assert.deepEqual(
        read(
          file,
          [...text].flatMap(character => ['', character]),
          options,
        ),
        said,
        'by character',
      )
    })

  it('gives arguments as they come', () => {
    const parser = dialect('qwen').parser({ tools, prompt: '' })
    assert.deepEqual(parser.push('<tool_call>\n{"name": "get_weather", "argu'), [])
    assert.deepEqual(parser.push('ments": {"ci'), [
      { kind: 'toolCall', index: 0, name: 'get_weather' },
      { kind: 'toolArguments', index: 0, text: '{"ci' },
    ])
    assert.deepEqual(parser.push('ty": "Oslo'), [{ kind: 'toolArguments', index: 0, text: 'ty": "Oslo' }])
    assert.deepEqual(parser.push('"}}'), [{ kind: 'toolArguments', index: 0, text: '"}' }])
    assert.equal(parser.calls, 1)
    assert.deepEqual(parser.end(), [])
  })

  it('gives text as it comes, but for what may become a marker', () => {
    const parser = dialect('qwen').parser({ tools, prompt: '' })
    assert.deepEqual(parser.push('One <tool'), [{ kind: 'content', text: 'One' }])
    assert.deepEqual(parser.push('box'), [{ kind: 'content', text: ' <toolbox' }])
  })

  it('never gives half a character', () => {
    const parser = dialect('qwen').parser({ tools, prompt: '' })
    const text = '<tool_call>{"name": "now", "arguments": "{\\"a\\": \\"\\ud83d\\ude00\\"}"}</tool_call>'
    const pieces = [...text]
      .flatMap(character => parser.push(character))
      .map(event => ('text' in event ? event.text : ''))
    assert.equal(pieces.join(''), '{"a": "😀"}')
    assert.ok(pieces.every(piece => piece.isWellFormed()))
  })

  it('ends when as many calls as allowed are complete', () => {
    const parser = dialect('qwen').parser({ tools, prompt: '', callsMax: 1 })
    const said = parser.push(`${hermes(oslo)}\n${hermes(lima)}`)
    assert.deepEqual(short(said), [`get_weather=${oslo}`])
    assert.ok(parser.full)
    assert.deepEqual([...parser.push('more'), ...parser.end()], [])
  })
})
