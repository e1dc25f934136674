import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '../../lib/random.ts'
import type { SecretKeys } from './keys.ts'

export { type SecretKeys, secretKeys } from './keys.ts'

/**
 * Secrets as the database keeps them: AES-256-GCM, each text with a nonce of its own, bound to its place, so that a text that was
 * changed, or moved to another row, is not read.
 */
export interface Vault {
  /** @param place what the secret belongs to, such as `upstream/east`. @throws Error when there is no key, and none can be made */
  seal(place: string, secret: string): string
  /** @throws SecretUnreadable */
  open(place: string, sealed: string): string
  /** Whether it was encrypted with the key that is used now. */
  isCurrent(sealed: string): boolean
}

/** Why a secret cannot be read, and what helps, as words for the operator. */
export class SecretUnreadable extends Error {
  override readonly name = 'SecretUnreadable'
}

const version = 'v1'
const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

export function makeVault({ keys, random }: { keys: SecretKeys; random: Random }): Vault {
  return {
    seal(place, secret) {
      const key = keys.current()
      const nonce = random.bytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key.bytes, nonce).setAAD(boundTo(key.id, place))
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return [version, key.id, nonce.toString('base64url'), text.toString('base64url')].join('.')
    },
    open(place, sealed) {
      const { keyId, nonce, text, tag } = parsed(sealed)
      const key = known(() => keys.byId(keyId))
      if (key === undefined)
        throw new SecretUnreadable(
          `its secrets are encrypted with another key (${keyId}). Start with that key, add it to PARLANCE_SECRET_KEYS_OLD, or set the secrets anew`,
        )
      try {
        const decipher = createDecipheriv(algorithm, key.bytes, nonce, { authTagLength: tagBytes })
        decipher.setAAD(boundTo(keyId, place)).setAuthTag(tag)
        return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new SecretUnreadable('its secrets were changed in the database, or moved there from elsewhere', { cause })
      }
    },
    isCurrent: sealed => sealed.split('.')[1] === keys.known()?.id,
  }
}

const boundTo = (keyId: string, place: string) => Buffer.from(`parlance ${version} ${keyId} ${place}`)

function known<Found>(find: () => Found): Found {
  try {
    return find()
  } catch (cause) {
    throw new SecretUnreadable('the key of its secrets cannot be read', { cause })
  }
}

function parsed(sealed: string) {
  const [form, keyId = '', nonce = '', text = '', ...more] = sealed.split('.')
  const bytes = Buffer.from(text, 'base64url')
  const start = Buffer.from(nonce, 'base64url')
  if (form !== version || more.length > 0 || start.length !== nonceBytes || bytes.length < tagBytes)
    throw new SecretUnreadable('its secrets stand in a form that this version of Parlance does not know')
  return { keyId, nonce: start, text: bytes.subarray(0, -tagBytes), tag: bytes.subarray(-tagBytes) }
}
