import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { brokenFiles, bytesOf, tinyModel } from '../../test/models/make.ts'
import { seededRandom } from '../lib/random.ts'
import { checkGguf, checkHeader } from './check.ts'
import { type GgufHeader, limits, parseHeader } from './read.ts'
import { text, texts, u32 } from './types.ts'
import { pieces } from './write.ts'

const good = bytesOf(tinyModel())

function parse(bytes: Buffer, fileBytes = bytes.length): GgufHeader {
  const header = parseHeader(bytes, fileBytes)
  if (header === 'more') throw new Error('it ends inside its header')
  return header
}

async function check(bytes: Buffer): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'gguf-'))
  try {
    const path = join(folder, 'model.gguf')
    await writeFile(path, bytes)
    return await checkGguf(path)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A header by hand: numbers are 64-bit, in lists [number, bytes]. */
function bytesFrom(...parts: (string | number | [value: number, bytes: number])[]): Buffer {
  return Buffer.concat(
    parts.map(part => {
      if (typeof part === 'string') return Buffer.from(part)
      const [value, size] = typeof part === 'number' ? [part, 8] : part
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(value))
      return bytes.subarray(0, size)
    }),
  )
}

const u32le = (value: number): [number, number] => [value, 4]
const preamble = (tensors: number, keys: number) => bytesFrom('GGUF', u32le(3), tensors, keys)

describe('checking GGUF', () => {
  const reasons: Record<string, RegExp> = {
    empty: /the file is empty/,
    text: /does not begin with a GGUF header/,
    header: /ends inside its header/,
    truncated: /beyond the end of the file/,
    keys: /the length of a key is/,
    dimensions: /claims 2147483647 dimensions/,
    duplicateToken: /tokens \d+ and \d+ of its vocabulary are the same/,
  }
  for (const [name, bytes] of Object.entries(brokenFiles()))
    it(`${name}: ${reasons[name] ? 'is refused with the reason' : 'passes, the loader finds it'}`, async () => {
      const reason = reasons[name]
      if (reason) await assert.rejects(check(bytes), reason)
      else await check(bytes)
    })

  it('tells what the product needs to know', () => {
    const model = checkHeader(parse(good))
    assert.deepEqual(
      [model.architecture, model.kind, model.contextLength, model.vocabularySize],
      ['llama', 'model', 4096, 355],
    )
    assert.match(model.chatTemplate ?? '', /im_start/)
  })

  it('refuses tokenizer lists that do not fit one another', () => {
    const header = (metadata: Parameters<typeof pieces>[0]['metadata']) =>
      parse(Buffer.concat([...pieces({ metadata, tensors: [] })]))
    const llama = { 'general.architecture': text('llama') }
    assert.throws(() => checkHeader(header({})), /'general.architecture' is missing/)
    assert.throws(() => checkHeader(header(llama)), /no vocabulary/)
    const tokens = { ...llama, 'tokenizer.ggml.tokens': texts(['a', 'b']) }
    assert.throws(
      () => checkHeader(header({ ...tokens, 'tokenizer.ggml.token_type': texts(['a']) })),
      /1 items for 2 tokens/,
    )
    assert.throws(
      () => checkHeader(header({ ...tokens, 'tokenizer.ggml.eos_token_id': u32(2) })),
      /eos token 2 is not in its vocabulary/,
    )
  })
})

describe('reading GGUF', () => {
  const claims: Record<string, [Buffer, RegExp]> = {
    'too many tensors': [preamble(2 ** 40, 0), /number of tensors/],
    'too many keys': [preamble(0, 2 ** 40), /number of keys/],
    'a big-endian file': [bytesFrom('GGUF', u32le(0x03000000), 0, 0), /big-endian/],
    'an unknown version': [bytesFrom('GGUF', u32le(9), 0, 0), /version 9/],
    'an endless text': [bytesFrom(preamble(0, 1).toString('latin1'), 1, 'k', u32le(8), 2 ** 52), /length of a string/],
    'an endless array': [
      bytesFrom(preamble(0, 1).toString('latin1'), 1, 'k', u32le(9), u32le(4), 2 ** 52),
      /number of items/,
    ],
    'an array of arrays': [
      bytesFrom(preamble(0, 1).toString('latin1'), 1, 'k', u32le(9), u32le(9), 1),
      /unknown value type 9/,
    ],
    'an unknown value type': [bytesFrom(preamble(0, 1).toString('latin1'), 1, 'k', u32le(13)), /unknown value type 13/],
    'a key twice': [
      bytesFrom(preamble(0, 2).toString('latin1'), 1, 'k', u32le(7), [1, 1], 1, 'k', u32le(7), [1, 1]),
      /appears twice/,
    ],
    'an unknown tensor type': [
      bytesFrom(preamble(1, 0).toString('latin1'), 1, 't', u32le(1), 32, u32le(99), 0),
      /unknown type 99/,
    ],
    'a size that overflows': [
      bytesFrom(preamble(1, 0).toString('latin1'), 1, 't', u32le(4), 2 ** 52, 2 ** 52, 2 ** 52, 2 ** 52, u32le(0), 0),
      /larger than any file/,
    ],
    'a dimension of 0': [bytesFrom(preamble(1, 0).toString('latin1'), 1, 't', u32le(2), 0, 5, u32le(0), 0), /size 0/],
    'half a block': [bytesFrom(preamble(1, 0).toString('latin1'), 1, 't', u32le(1), 33, u32le(8), 0), /whole blocks/],
    'a gap between tensors': [
      bytesFrom(preamble(1, 0).toString('latin1'), 1, 't', u32le(1), 4, u32le(0), 64),
      /does not follow/,
    ],
  }
  for (const [name, [bytes, reason]] of Object.entries(claims))
    it(`refuses ${name}`, () => assert.throws(() => parse(Buffer.concat([bytes, Buffer.alloc(64)])), reason))

  it('asks for more bytes where the header goes on, and never reads beyond it', () => {
    const { headerBytes } = parse(good)
    assert.equal(parseHeader(good.subarray(0, headerBytes - 1), good.length), 'more')
    assert.notEqual(parseHeader(good.subarray(0, headerBytes), good.length), 'more')
  })

  it('reads a vocabulary of 150,000 tokens in less than 200 ms', () => {
    const tokens = Array.from({ length: 150_000 }, (_, i) => `Ġtoken${i}`)
    const metadata = {
      'general.architecture': text('llama'),
      'tokenizer.ggml.tokens': texts(tokens),
      'tokenizer.ggml.merges': texts(tokens.map(token => `${token} x`)),
    }
    const bytes = Buffer.concat([...pieces({ metadata, tensors: [] })])
    parse(bytes)
    const began = process.threadCpuUsage()
    const header = parse(bytes)
    const { user, system } = process.threadCpuUsage(began)
    assert.ok(user + system < 200_000, `it took ${user + system} µs`)
    assert.equal(header.texts('tokenizer.ggml.tokens')?.length, 150_000)
  })

  it('takes thousands of damaged headers: an error or a valid reading, never a hang or a flood of memory', () => {
    const random = seededRandom(20)
    const { headerBytes } = parse(good)
    const began = performance.now()
    let refused = 0
    for (let round = 0; round < 4000; round++) {
      const bytes = Buffer.from(good.subarray(0, headerBytes))
      for (let change = 1 + (random.uint32() % 4); change > 0; change--) {
        const at = random.uint32() % (round % 2 === 0 ? headerBytes : 600)
        if (random.uint32() % 3 === 0 && at + 8 <= headerBytes)
          bytes.writeBigUInt64LE(2n ** BigInt(random.uint32() % 64), at)
        else bytes.writeUInt8(random.uint32() & 0xff, at)
      }
      try {
        const header = parse(bytes, good.length)
        for (const key of header.keys()) assert.ok((header.count(key) ?? 0) <= Math.min(limits.arrayItems, good.length))
        for (const tensor of header.tensors) assert.ok(tensor.offset + tensor.sizeBytes <= good.length)
        checkHeader(header)
      } catch (error) {
        assert.ok(error instanceof Error && /GGUF|header/.test(error.message), String(error))
        refused++
      }
    }
    assert.ok(refused > 1000)
    assert.ok(performance.now() - began < 60_000)
  })
})
