import type { Clock } from '../../lib/clock.ts'
import { describe, type Log } from '../../lib/log.ts'
import type { Store } from '../../store/store.ts'
import type { Account, Book } from './account.ts'
import type { Month } from './month.ts'
import type { Notice } from './types.ts'

export interface NoticeServices {
  store: Store
  clock: Clock
  log: Log
  notify(notice: Notice): void
}

/** Tells once a month and threshold that money runs out. A row decides who tells, so that a restart or a second process does not repeat it. */
export class Notices {
  readonly #services: NoticeServices
  /** Organisations whose exhausted credit was told, by month. */
  readonly #exhausted = new Map<string, string>()

  constructor(services: NoticeServices) {
    this.#services = services
  }

  /** Tells when more was spent than the soft limit. */
  spent(account: Account, month: Month): void {
    const { softNano } = account.limit
    if (softNano === null || account.spentNano <= softNano || account.toldNano === softNano) return
    account.toldNano = softNano
    const { organizationId, subject, id: subjectId, spentNano } = account
    this.#tell({ organizationId, subject, subjectId, month: month.name, thresholdNano: softNano, spentNano }, () => {
      account.toldNano = null
    })
  }

  /** Tells when nothing is left of an organisation's credit, or, when a request was `refused`, too little for anything. */
  credit({ organizationId, credit }: Book, month: Month, refused = false): void {
    if (!credit.on || this.#exhausted.get(organizationId) === month.name) return
    const { spentNano, limitNano, heldNano } = credit.standing(this.#services.clock.now())
    if (spentNano < limitNano && !(refused && heldNano === 0)) return
    this.#exhausted.set(organizationId, month.name)
    this.#tell(
      {
        organizationId,
        subject: 'credit',
        subjectId: organizationId,
        month: month.name,
        thresholdNano: 0,
        spentNano,
      },
      () => this.#exhausted.delete(organizationId),
    )
  }

  /** @param forget when it could not be stored, so that it is tried again with the next request */
  #tell(notice: Notice, forget: () => void): void {
    const { store, clock, log, notify } = this.#services
    const row = store.build.insertInto('notices').values({
      organization_id: notice.organizationId,
      subject: notice.subject,
      subject_id: notice.subjectId,
      month: notice.month,
      threshold_nano: notice.thresholdNano,
      created_at: clock.now(),
    })
    store.write(row.onConflict(conflict => conflict.doNothing())).then(
      ({ changes }) => {
        if (changes === 1) notify(notice)
      },
      (error: unknown) => {
        forget()
        log.warn('ledger.notice_failed', { month: notice.month, cause: describe(error) })
      },
    )
  }
}
