/** A stream of numbers from 0 to 1 that a seed decides (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A word with one typing error: two letters exchanged, one lost, one doubled, or one replaced. The first letter stays. */
export function mistype(word: string, random: () => number): string {
  const at = 1 + Math.floor(random() * (word.length - 2))
  const before = word.slice(0, at)
  const [letter = '', next = ''] = word.slice(at)
  const after = word.slice(at + 1)
  const kind = Math.floor(random() * 4)
  if (kind === 0) return before + next + letter + after.slice(1)
  if (kind === 1) return before + after
  if (kind === 2) return before + letter + letter + after
  return before + 'abcdefghijklmnopqrstuvwxyz'.charAt(Math.floor(random() * 26)) + after
}
