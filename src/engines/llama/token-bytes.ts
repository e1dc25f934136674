/** Bits of `getTokenAttributes` (llama.cpp's `llama_token_attr`). */
const attribute = { unknown: 1, control: 8, userDefined: 16, byte: 32 } as const
/** Of `getVocabularyType` (llama.cpp's `llama_vocab_type`): the one whose tokens are spelt in GPT-2's byte symbols. */
const bytePairs = 2

/**
 * The bytes of one token, which need not be whole characters.
 * @param spelling as in the vocabulary: GPT-2's symbols for bytes, `▁` for a space, `<0x0A>` for a byte, or plain text
 * @param attributes llama.cpp's bits of the token
 * @param vocabulary llama.cpp's kind of vocabulary
 */
export function tokenBytes(spelling: string, attributes: number, vocabulary: number): number[] {
  if (attributes & (attribute.unknown | attribute.control | attribute.userDefined)) return utf8(spelling)
  if (vocabulary === bytePairs) return [...spelling].flatMap(symbol => byteOf.get(symbol) ?? utf8(symbol))
  const byte = attributes & attribute.byte ? /^<0x([0-9a-f]{2})>$/i.exec(spelling)?.[1] : undefined
  return byte === undefined ? utf8(spelling.replaceAll('▁', ' ')) : [Number.parseInt(byte, 16)]
}

const utf8 = (text: string): number[] => [...Buffer.from(text)]

/** GPT-2 writes a visible Latin-1 byte as itself and every other byte as the next character from U+0100 on. */
const byteOf: ReadonlyMap<string, number> = new Map(
  (() => {
    let spare = 256
    const visible = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad)
    return Array.from({ length: 256 }, (_, byte): [string, number] => [
      String.fromCodePoint(visible(byte) ? byte : spare++),
      byte,
    ])
  })(),
)
