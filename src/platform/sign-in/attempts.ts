import { isIPv6 } from 'node:net'
import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'

/** Slows down whoever guesses, by the account that is guessed at and by where the guesses come from. */
export interface Attempts {
  /**
   * Counts an attempt as failed until it has succeeded, so that many at once are no more than one after another.
   * @param account what is signed in to, whether it is there or not; null: it is not said
   * @throws Fault 429 `too_many_sign_ins`; then nothing is counted
   */
  begin(account: string | null, ip: string | null): { succeeded(): void }
}

/** So many failures are free; with each further one the wait doubles, from a second on. */
const freePerAccount = 5
/** More: many people may share an address. */
const freePerAddress = 20
/** After so long without a failure one is forgotten. So nobody has to wait much longer than this, and nobody guesses more often. */
const forgivenMs = 60_000
/** Of each kind; beyond that the one that is quiet for longest is forgotten. */
const rememberedMax = 10_000

export function makeAttempts({ clock }: { clock: Clock }): Attempts {
  const accounts = new Failures(freePerAccount)
  const addresses = new Failures(freePerAddress)
  return {
    begin(account, ip) {
      const nowMs = clock.monotonic()
      const address = ip === null ? null : network(ip)
      const waitMs = Math.max(accounts.waitMs(account, nowMs), addresses.waitMs(address, nowMs))
      if (waitMs > 0) throw fault.signInLater(Math.ceil(waitMs / 1000))
      accounts.add(account, nowMs)
      addresses.add(address, nowMs)
      return {
        succeeded() {
          accounts.forget(account)
          addresses.takeBack(address)
        },
      }
    },
  }
}

/** Null is never counted. */
class Failures {
  readonly #free: number
  readonly #known = new Map<string, { count: number; lastMs: number }>()

  constructor(free: number) {
    this.#free = free
  }

  waitMs(name: string | null, nowMs: number): number {
    const known = name === null ? undefined : this.#known.get(name)
    if (known === undefined || known.count <= this.#free) return 0
    return known.lastMs + 1000 * 2 ** (known.count - this.#free - 1) - nowMs
  }

  add(name: string | null, nowMs: number): void {
    if (name === null) return
    const known = this.#known.get(name)
    const forgiven = known === undefined ? 0 : Math.floor((nowMs - known.lastMs) / forgivenMs)
    this.#known.delete(name) // the newest stands last
    if (this.#known.size >= rememberedMax) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(name, { count: Math.max(0, (known?.count ?? 0) - forgiven) + 1, lastMs: nowMs })
  }

  takeBack(name: string | null): void {
    const known = name === null ? undefined : this.#known.get(name)
    if (known !== undefined) known.count--
  }

  forget(name: string | null): void {
    if (name !== null) this.#known.delete(name)
  }
}

/** The address, or of IPv6 the network that one customer has to themselves. */
export function network(ip: string): string {
  const [, mapped] = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(ip) ?? []
  if (mapped !== undefined || !isIPv6(ip)) return mapped ?? ip
  const [head = '', tail] = new URL(`http://[${ip.replace(/%.*$/, '')}]`).hostname.slice(1, -1).split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  return [...groups, ...Array<string>(missing).fill('0'), ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
