import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tokenBytes } from './token-bytes.ts'

const [normal, control, userDefined, byte] = [4, 8, 16, 32]
const [sentencePieces, bytePairs] = [1, 2]
const text = (spelling: string, attributes: number, vocabulary: number) =>
  Buffer.from(tokenBytes(spelling, attributes, vocabulary)).toString()

describe('the bytes of a token', () => {
  it('are read off GPT-2’s symbols', () => {
    assert.equal(text('Ġworld', normal, bytePairs), ' world')
    assert.equal(text('Ċ', normal, bytePairs), '\n')
    assert.deepEqual(tokenBytes('ä½', normal, bytePairs), [0xe4, 0xbd])
    assert.deepEqual(tokenBytes('\u0100\u0143ÿ', normal, bytePairs), [0, 0xad, 0xff])
  })

  it('are read off the marks of sentence pieces', () => {
    assert.equal(text('▁New▁York', normal, sentencePieces), ' New York')
    assert.deepEqual(tokenBytes('<0xE4>', byte, sentencePieces), [0xe4])
    assert.equal(text('<0xE4>', normal, sentencePieces), '<0xE4>')
  })

  it('are the spelling itself for control tokens and those that users defined', () => {
    for (const vocabulary of [sentencePieces, bytePairs])
      for (const attributes of [control, userDefined])
        assert.equal(text('<|Ġ▁你|>', attributes, vocabulary), '<|Ġ▁你|>')
  })
})
