import { createHmac } from 'node:crypto'
import { Agent, request } from 'undici'
import type { Clock } from '../../lib/clock.ts'
import type { Message } from './index.ts'

export interface HookOptions {
  url: string
  /** `whsec_` and base64, as Standard Webhooks and OpenAI's have it. */
  secret: string
}

const timeoutMs = 10_000
const replyBytesMax = 65_536

/** Posts events to a program, signed as Standard Webhooks say, so that the helpers of OpenAI's clients verify them. */
export class Hook {
  readonly #options: HookOptions
  readonly #key: Buffer
  readonly #clock: Clock
  readonly #agent = new Agent({ connectTimeout: timeoutMs, headersTimeout: timeoutMs, bodyTimeout: timeoutMs })

  constructor(options: HookOptions, clock: Clock) {
    this.#options = options
    this.#key = Buffer.from(options.secret.replace(/^whsec_/, ''), 'base64')
    this.#clock = clock
  }

  /** @throws Error when the receiver did not answer with 2xx; redirects are not followed */
  async send(message: Message, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(eventOf(message))
    const timestamp = String(Math.floor(this.#clock.now() / 1000))
    const signature = createHmac('sha256', this.#key).update(`${message.id}.${timestamp}.${body}`).digest('base64')
    const reply = await request(this.#options.url, {
      method: 'POST',
      signal,
      dispatcher: this.#agent,
      headers: {
        'content-type': 'application/json',
        'webhook-id': message.id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      },
      body,
    })
    await reply.body.dump({ limit: replyBytesMax })
    if (reply.statusCode < 200 || reply.statusCode > 299) throw new Error(`The webhook answered ${reply.statusCode}.`)
  }

  close(): Promise<void> {
    return this.#agent.close()
  }
}

function eventOf({ id, notice, organization, createdAt }: Message) {
  const { organizationId, subject, subjectId, month, thresholdNano, spentNano } = notice
  return {
    id,
    object: 'event',
    created_at: Math.floor(createdAt / 1000),
    type: subject === 'credit' ? 'organization.credit.exhausted' : 'organization.spend_limit.exceeded',
    data: {
      organization_id: organizationId,
      organization,
      ...(subject === 'credit' ? {} : { subject, subject_id: subjectId, month, threshold_usd: thresholdNano / 1e9 }),
      spent_usd: spentNano / 1e9,
    },
  }
}
