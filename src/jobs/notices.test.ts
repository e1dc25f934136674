import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import OpenAI from 'openai'
import { SMTPServer } from 'smtp-server'
import { makeIds } from '../lib/ids.ts'
import { jsonLog } from '../lib/log.ts'
import { seededRandom, systemRandom } from '../lib/random.ts'
import { manualTime } from '../lib/timers.ts'
import { ensureHome } from '../platform/home.ts'
import type { Notice } from '../platform/ledger/types.ts'
import { makeModels } from '../platform/models.ts'
import { makeNotices, type NoticeOptions } from '../platform/notices/index.ts'
import { testServices } from '../platform/services.fixture.ts'
import { makeQueue } from '../store/queue/index.ts'
import { makeWorker } from './worker.ts'

const services = await testServices(makeModels([], {}))
const home = await ensureHome(services)
await services.store.write([
  services.store.build.updateTable('users').set({ email: 'olga@example.com' }),
  services.store.build.updateTable('organizations').set({ title: 'Bakery' }),
])
after(() => services.close())

const notice: Notice = {
  organizationId: home.organizationId,
  subject: 'project',
  subjectId: home.projectId,
  month: '2026-11',
  thresholdNano: 5_000_000_000,
  spentNano: 5_250_000_000,
}

/** A real SMTP server that keeps what it gets; the first so many mails are refused for now. */
async function mailServer({ refuse = 0 } = {}) {
  const mails: { to: string[]; data: string }[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username, password }, _session, done) =>
      username === 'me' && password === 'p@ss' ? done(null, { user: 'me' }) : done(new Error('no')),
    onData(stream, session, done) {
      text(stream).then(data => {
        if (refuse-- > 0) return done(Object.assign(new Error('Come back later'), { responseCode: 451 }))
        mails.push({ to: session.envelope.rcptTo.map(one => one.address), data })
        done()
      }, done)
    },
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return {
    mails,
    url: `smtp://me:${encodeURIComponent('p@ss')}@127.0.0.1:${port}`,
    close: () => new Promise<void>(resolve => server.close(() => resolve())),
  }
}

/** Notices and the worker that sends them. */
async function told(options: NoticeOptions, given: Notice[] = [notice], time = manualTime()) {
  const lines: string[] = []
  const log = jsonLog(line => lines.push(line), time.now)
  const ids = makeIds(systemRandom)
  const queue = makeQueue({ store: services.store, clock: time, ids })
  const people = makeNotices({ ...services, queue, ids, log, clock: time }, options)
  const worker = makeWorker(
    { queue, clock: time, timers: time, random: seededRandom(4), ids, log },
    { handlers: people.handlers, alone: true },
  )
  for (const one of given) people.tell(one)
  await worker.start()
  const close = async () => {
    await worker.drain(30_000)
    await people.close()
  }
  const seen = (event: string) => lines.filter(line => line.includes(`"${event}"`)).length
  return { lines, time, close, seen }
}

const until = async (done: () => boolean) => {
  while (!done()) await new Promise(resolve => setImmediate(resolve))
}

test('owners get a mail that says who has spent how much', async () => {
  const server = await mailServer()
  const { seen, close } = await told({ mail: { smtpUrl: server.url, from: 'Parlance <parlance@example.com>' } })
  await until(() => seen('notice.told') === 1)
  await close()
  await server.close()
  const [mail] = server.mails
  assert.deepEqual(mail?.to, ['olga@example.com'])
  const unfolded = mail.data.replaceAll('=\r\n', '').replaceAll('\r\n ', ' ')
  assert.match(
    unfolded,
    /^Subject: Parlance: the project Default project \(.*\) has spent more than 5\.00 USD in 2026-11\r?$/m,
  )
  assert.match(unfolded, /has spent 5\.25 USD\. The soft limit is 5\.00 USD/)
})

test('a name with line breaks adds no header to a mail', async () => {
  const server = await mailServer()
  const hostile = { ...notice, subject: 'end_user' as const, subjectId: 'x\r\nBcc: eve@example.com\r\n\r\nhello' }
  const mail = { smtpUrl: server.url, from: 'p@example.com', to: ['ops@example.com'] }
  const { seen, close } = await told({ mail }, [hostile])
  await until(() => seen('notice.told') === 1)
  await close()
  await server.close()
  assert.deepEqual(server.mails[0]?.to, ['ops@example.com'])
  assert.doesNotMatch(server.mails[0].data, /^Bcc:/m)
})

test('a mail that is refused is sent again, also by a server that starts later', async () => {
  const server = await mailServer({ refuse: 2 })
  const mail = { smtpUrl: server.url, from: 'p@example.com' }
  const first = await told({ mail })
  await until(() => first.seen('job.retried') === 1)
  first.time.advance(1000)
  await until(() => first.seen('job.retried') === 2)
  await first.close()
  assert.equal(server.mails.length, 0)

  const second = await told({ mail }, [], manualTime(first.time.now() + 15_000))
  await until(() => server.mails.length === 1)
  await until(() => second.seen('notice.told') === 1)
  await second.close()
  await server.close()
})

test('what cannot be sent is kept, and given up when the settings no longer name its way', async () => {
  const nobody = await told({ mail: { smtpUrl: 'smtp://127.0.0.1:1', from: 'p@example.com', to: [] } })
  await until(() => nobody.seen('job.retried') === 1)
  const elsewhere = await told({}, [], manualTime(nobody.time.now() + 60_000))
  await until(() => elsewhere.seen('job.dead') === 1)
  await elsewhere.close()
  await nobody.close()
})

test('a webhook gets a signed event that the official client verifies', async () => {
  const requests: { headers: IncomingHttpHeaders; body: string }[] = []
  const statuses = [500, 302, 204]
  const server = createServer(async (request, response) => {
    requests.push({ headers: request.headers, body: await text(request) })
    response.writeHead(statuses.shift() ?? 200, { location: '/elsewhere' }).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  const secret = `whsec_${Buffer.from('a secret of the receiver').toString('base64')}`
  const time = manualTime(Date.now())
  const { seen, close } = await told({ webhook: { url, secret } }, [notice], time)
  for (const [round, delayMs] of [1000, 15_000].entries()) {
    await until(() => seen('job.retried') === round + 1)
    await new Promise(resolve => setImmediate(resolve))
    time.advance(delayMs)
  }
  await until(() => {
    time.advance(1)
    return seen('notice.told') === 1
  })
  assert.equal(requests.length, 3)
  await close()
  server.close()
  assert.equal(new Set(requests.map(({ headers }) => headers['webhook-id'])).size, 1, 'the same event each time')
  const { headers, body } = requests[2]!
  const client = new OpenAI({ apiKey: 'none', webhookSecret: secret })
  await client.webhooks.verifySignature(body, headers as Record<string, string>)
  await assert.rejects(client.webhooks.verifySignature(`${body} `, headers as Record<string, string>))
  const event = JSON.parse(body)
  assert.equal(event.type, 'organization.spend_limit.exceeded')
  assert.deepEqual(event.data, {
    organization_id: home.organizationId,
    organization: 'Bakery',
    subject: 'project',
    subject_id: home.projectId,
    month: '2026-11',
    threshold_usd: 5,
    spent_usd: 5.25,
  })
})

test('without a way to tell, the log hears of it', async () => {
  const { seen, close, lines } = await told({})
  await close()
  assert.deepEqual([seen('notice'), lines.length], [1, 1])
})
