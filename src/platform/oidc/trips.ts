import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import { isRecord } from '../../wire/walk.ts'
import type { Trip } from './provider.ts'

/**
 * Browsers that were sent to the provider and are to come back. What they left with is in a cookie of theirs, signed by this process:
 * nothing is kept here for those who never come back, however many they are.
 */
export interface Trips {
  begin(redirectUri: string): { trip: Trip; challenge: string; cookie: string }
  /** The trip of a browser that is back, once; undefined when it is not one of ours, too old, or was back before. */
  end(cookie: string | undefined, state: string | null): Trip | undefined
}

export const tripLifeMs = 600_000
/** Trips that have ended and could be tried again; beyond that the oldest is forgotten, and only the provider refuses it. */
const endedMax = 10_000

export function makeTrips({ clock, random }: { clock: Clock; random: Random }): Trips {
  const key = random.bytes(32)
  const ended = new Map<string, number>()
  const word = () => random.bytes(32).toString('base64url')
  const signed = (text: string) => `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  return {
    begin(redirectUri) {
      const trip: Trip = { state: word(), nonce: word(), verifier: word(), redirectUri }
      const text = JSON.stringify({ ...trip, until: clock.now() + tripLifeMs })
      const challenge = createHash('sha256').update(trip.verifier).digest('base64url')
      return { trip, challenge, cookie: signed(Buffer.from(text).toString('base64url')) }
    },

    end(cookie, state) {
      const [text = ''] = (cookie ?? '').split('.')
      if (cookie === undefined || state === null || !same(cookie, signed(text))) return undefined
      const found: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
      if (!isTrip(found) || found.until <= clock.now() || !same(found.state, state)) return undefined
      for (const [old, until] of ended) {
        if (until > clock.now() && ended.size < endedMax) break
        ended.delete(old)
      }
      if (ended.has(state)) return undefined
      ended.set(state, found.until)
      return found
    },
  }
}

/** What we have signed has this form; a later version of this program might sign another. */
function isTrip(value: unknown): value is Trip & { until: number } {
  const texts = ['state', 'nonce', 'verifier', 'redirectUri']
  return isRecord(value) && typeof value.until === 'number' && texts.every(name => typeof value[name] === 'string')
}

const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
