import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Queue } from '../../store/queue/index.ts'
import type { Store } from '../../store/store.ts'
import { type Handler, NotAgain } from '../jobs/handler.ts'
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

export interface NoticeOptions {
  mail?: MailOptions | undefined
  webhook?: HookOptions | undefined
}

export interface TellPeople {
  /** Returns at once. Each way is a job of its own, tried again for about a day, also after the server has stopped in between. */
  tell(notice: Notice): void
  /** Who does these jobs. */
  readonly handlers: readonly Handler[]
  /** Resolves when what was told is on the disk or in the log. After the worker has ended. */
  close(): Promise<void>
}

/** Waits between tries, in milliseconds: a mail server that is down for a night hears of it in the morning. */
const retryMs = [1000, 15_000, 120_000, 900_000, 3_600_000, 21_600_000, 43_200_000]
/** So many wait for each way at most; a flood beyond that is told to the log. */
const waitingMax = 1000

/** Tells by mail and webhook that money runs out. Without either it goes to the log alone. */
export function makeNotices(
  services: { store: Store; queue: Queue; clock: Clock; ids: Ids; log: Log },
  { mail, webhook }: NoticeOptions,
): TellPeople {
  const { store, queue, clock, ids, log } = services
  const mailer = mail && new Mailer(mail)
  const hook = webhook && new Hook(webhook, clock)
  const handlers = [
    wayOf('notice.mail', mailer && (async message => mailer.send(message, await recipientsOf(store, message.notice)))),
    wayOf('notice.webhook', hook && ((message, signal) => hook.send(message, signal))),
  ]
  const kinds = [...(mail ? ['notice.mail'] : []), ...(webhook ? ['notice.webhook'] : [])]
  const running = new Set<Promise<void>>()

  const enqueue = async (notice: Notice, id: string) => {
    const names = await subjectNameOf(store, notice)
    const message: Message = { id, notice, ...names, createdAt: clock.now() }
    for (const kind of kinds)
      if ((await queue.countOpen(kind)) >= waitingMax) log.error('notice.lost', { id, kind, cause: 'too many wait' })
      else
        await queue.enqueue({
          kind,
          payload: message,
          organizationId: notice.organizationId,
          attemptsMax: retryMs.length + 1,
        })
  }

  return {
    handlers,

    tell(notice) {
      const id = ids.make('event')
      log.warn('notice', { id, ...notice })
      if (kinds.length === 0) return
      const enqueued = enqueue(notice, id).catch((error: unknown) =>
        log.error('notice.lost', { id, cause: describe(error) }),
      )
      running.add(enqueued)
      void enqueued.finally(() => running.delete(enqueued))
    },

    async close() {
      while (running.size > 0) await Promise.all(running)
      mailer?.close()
      await hook?.close()
    },
  }
}

/** @param tell undefined where the settings no longer name this way: what still waits for it is given up */
function wayOf(kind: string, tell: ((message: Message, signal: AbortSignal) => Promise<void>) | undefined): Handler {
  return {
    kind,
    atOnce: 8,
    retryMs,
    async run({ job, signal, log }) {
      const message = job.payload as Message // written by `tell` alone
      if (tell === undefined) throw new NotAgain(`There is no ${kind} in the settings any more.`)
      await tell(message, signal)
      log.info('notice.told', { id: message.id, way: kind })
    },
  }
}
