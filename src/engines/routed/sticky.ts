import { isRecord } from '../../wire/walk.ts'

/** Characters of each text that tell one conversation from another. */
const textLengthMax = 2048
/** Messages that are looked at for the first one of the user. */
const messagesMax = 8

/**
 * What stays the same over a conversation, as a uint32: `prompt_cache_key` where the client sends one, else the messages up to the first
 * of the user, or the beginning of a prompt. Together with the tenant, because caches are not shared. Undefined for what has no prefix.
 */
export function conversationOf(request: object, tenant = ''): number | undefined {
  const { prompt_cache_key: key, messages, prompt }: Asked = request
  const seed = hashOf(tenant)
  if (typeof key === 'string' && key !== '') return hashOf(key, seed)
  if (typeof prompt === 'string') return hashOf(prompt.slice(0, textLengthMax), seed)
  if (!Array.isArray(messages)) return undefined
  let hash = seed
  for (const message of messages.slice(0, messagesMax)) {
    if (!isRecord(message)) break
    const { role, content } = message
    hash = hashOf(String(role), hash)
    hash = hashOf(beginningOf(content), hash)
    if (role === 'user') break
  }
  return hash
}

interface Asked {
  prompt_cache_key?: unknown
  messages?: unknown
  prompt?: unknown
}

function beginningOf(content: unknown): string {
  if (typeof content === 'string') return content.slice(0, textLengthMax)
  if (!Array.isArray(content)) return ''
  const texts = content.map(part => (isRecord(part) && typeof part.text === 'string' ? part.text : ''))
  return texts.join('').slice(0, textLengthMax)
}

/**
 * Rendezvous hashing: of those that are there, each conversation has one that it prefers, in proportion to the weights; when that one
 * goes, only its conversations move.
 */
export function preferred<Item extends { readonly hash: number; readonly weight: number }>(
  items: readonly [Item, ...Item[]],
  conversation: number,
): Item {
  let best = items[0]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const item of items) {
    const part = (mixed(conversation ^ item.hash) + 0.5) / 2 ** 32
    const score = item.weight / -Math.log(part)
    if (score > bestScore) [best, bestScore] = [item, score]
  }
  return best
}

/** FNV-1a over UTF-16 units, mixed at the end; for spreading, not for secrets. */
export function hashOf(text: string, seed = 0): number {
  let hash = seed ^ 0x811c9dc5
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193)
  return mixed(hash)
}

/** The last steps of MurmurHash3 (Appleby, public domain): every bit of the input reaches every bit of the output. */
function mixed(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
