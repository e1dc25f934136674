import { createTransport, type Transporter } from 'nodemailer'
import type { Message } from './index.ts'
import { wordsOf } from './words.ts'

export interface MailOptions {
  /** `smtp://user:password@host:587` or `smtps://…`. */
  smtpUrl: string
  from: string
  /** Instead of the owners. */
  to?: readonly string[] | undefined
}

const timeoutMs = 20_000

/** Sends mails through one SMTP server. */
export class Mailer {
  readonly #options: MailOptions
  readonly #transport: Transporter

  constructor(options: MailOptions) {
    this.#options = options
    this.#transport = createTransport({
      url: options.smtpUrl,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
  }

  /** @throws Error when the server did not take it, or when there is nobody to send it to */
  async send(message: Message, owners: readonly string[]): Promise<void> {
    const { from, to = owners } = this.#options
    if (to.length === 0)
      throw new Error('No owner has an address: set `mail.to`, or let the first owner set an e-mail address.')
    const { title, text } = wordsOf(message)
    await this.#transport.sendMail({
      from,
      to: [...to],
      subject: title,
      text,
      messageId: `<${message.id}@${domainOf(from)}>`,
    })
  }

  close(): void {
    this.#transport.close()
  }
}

const domainOf = (address: string): string => /@([\w.-]+)/.exec(address)?.[1] ?? 'localhost'
