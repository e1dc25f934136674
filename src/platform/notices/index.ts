import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Timers } from '../../lib/timers.ts'
import type { Store } from '../../store/store.ts'
import type { Notice } from '../ledger/types.ts'
import { Mailer, type MailOptions } from './mail.ts'
import { recipientsOf, subjectNameOf } from './recipients.ts'
import { Hook, type HookOptions } from './webhook.ts'

/** What people are told, and programs with it. */
export interface Message {
  /** Of the event; a receiver may see it twice and can tell. */
  id: string
  notice: Notice
  organization: string
  /** Whose limit it is, in words. */
  subject: string
  createdAt: number
}

/** A way to tell. @throws anything when it did not work; it is tried again */
interface Way {
  name: string
  tell(message: Message): Promise<void>
}

export interface NoticeOptions {
  mail?: MailOptions | undefined
  webhook?: HookOptions | undefined
}

export interface TellPeople {
  /** Returns at once; each way is tried again for about a day. */
  tell(notice: Notice): void
  /** Resolves when what is under way has arrived or failed. What waits for another try is told to the log and is lost. */
  close(): Promise<void>
}

/** Waits between tries, in milliseconds: a mail server that is down for a night hears of it in the morning. */
const retryMs = [1000, 15_000, 120_000, 900_000, 3_600_000, 21_600_000, 43_200_000]
/** So many are on their way at most; a flood beyond that is told to the log. */
const underWayMax = 1000

/** Tells by mail and webhook that money runs out. Without either it goes to the log alone. */
export function makeNotices(
  services: { store: Store; clock: Clock; ids: Ids; log: Log; timers: Timers },
  { mail, webhook }: NoticeOptions,
): TellPeople {
  const { store, clock, ids, log, timers } = services
  const mailer = mail && new Mailer(mail)
  const hook = webhook && new Hook(webhook, clock)
  const ways: Way[] = []
  if (mailer !== undefined)
    ways.push({
      name: 'mail',
      tell: async message => mailer.send(message, await recipientsOf(store, message.notice)),
    })
  if (hook !== undefined) ways.push({ name: 'webhook', tell: message => hook.send(message) })
  const running = new Set<Promise<void>>()
  const waiting = new Map<() => void, Message>()
  let closed = false

  const attempt = (way: Way, message: Message, tries: number): void => {
    const tried = way.tell(message).then(
      () => log.info('notice.told', { id: message.id, way: way.name }),
      (error: unknown) => {
        const cause = describe(error)
        const delayMs = retryMs[tries]
        if (delayMs === undefined || closed) return log.error('notice.lost', { id: message.id, way: way.name, cause })
        log.warn('notice.retried', { id: message.id, way: way.name, inMs: delayMs, cause })
        const cancel = timers.after(delayMs, () => {
          waiting.delete(cancel)
          attempt(way, message, tries + 1)
        })
        waiting.set(cancel, message)
      },
    )
    running.add(tried)
    void tried.finally(() => running.delete(tried))
  }

  return {
    tell(notice) {
      const id = ids.make('event')
      log.warn('notice', { id, ...notice })
      if (ways.length === 0) return
      if (running.size + waiting.size >= underWayMax) return log.error('notice.lost', { id, cause: 'too many wait' })
      const named = subjectNameOf(store, notice).then(
        names => {
          for (const way of ways) attempt(way, { id, notice, ...names, createdAt: clock.now() }, 0)
        },
        (error: unknown) => log.error('notice.lost', { id, cause: describe(error) }),
      )
      running.add(named)
      void named.finally(() => running.delete(named))
    },

    async close() {
      closed = true
      for (const [cancel, { id }] of waiting) {
        cancel()
        log.error('notice.lost', { id, cause: 'the server stopped before the next try' })
      }
      waiting.clear()
      while (running.size > 0) await Promise.all(running)
      mailer?.close()
      await hook?.close()
    },
  }
}
