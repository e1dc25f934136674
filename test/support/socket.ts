import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A reply as its bytes said it. */
export interface RawReply {
  status: number
  /** In the order and spelling they came. */
  headers: [name: string, value: string][]
  /** The value of a header, whatever its case; several are joined. */
  header(name: string): string | undefined
  body: Buffer
}

/** One TCP connection whose requests are written byte by byte, so that nothing corrects them on the way. */
export interface Wire extends Disposable {
  write(bytes: string | Buffer): void
  /** Writes no more; replies are still read. */
  finish(): void
  /** The next reply. @throws Error when the connection ends or stays silent before it is whole */
  reply(options?: { to?: 'HEAD' }): Promise<RawReply>
  /** The status and headers of the next reply, without waiting for its body; nothing can be read after it. */
  head(): Promise<Omit<RawReply, 'body'>>
  /** Resolves when the server has closed the connection; rejects when it does not. */
  closed(): Promise<void>
}

const patienceMs = 10_000

export async function openWire(port: number): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  const incoming = arrivals(socket)
  return {
    write: bytes => void socket.write(bytes),
    finish: () => void socket.end(),
    reply: options => readReply(incoming, options?.to === 'HEAD'),
    head: () => readHead(incoming),
    async closed() {
      while (!incoming.ended) await incoming.more()
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

export interface RawRequest {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string | Buffer
}

/** The bytes of a request; `Host` and `Content-Length` are added unless they are given. */
export function encode({ method = 'POST', path = '/', headers = {}, body }: RawRequest): Buffer {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries({ host: 'localhost', ...length, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'),
    Buffer.from(body ?? ''),
  ])
}

/** One request on a connection of its own. */
export async function ask(port: number, request: RawRequest): Promise<RawReply> {
  using wire = await openWire(port)
  wire.write(encode(request))
  return await wire.reply(request.method === 'HEAD' ? { to: 'HEAD' } : {})
}

interface Arrivals {
  /** Everything that came and was not taken yet. */
  bytes: Buffer
  ended: boolean
  more(): Promise<void>
}

function arrivals(socket: Socket): Arrivals {
  let wake = () => {}
  const incoming: Arrivals = {
    bytes: Buffer.alloc(0),
    ended: false,
    async more() {
      const impatient = new AbortController()
      const late = delay(patienceMs, 'late', { signal: impatient.signal }).catch(() => 'early')
      const came = new Promise<void>(resolve => {
        wake = resolve
      })
      const first = await Promise.race([came, late])
      impatient.abort()
      if (first === 'late')
        throw new Error(
          `The server was silent for ${patienceMs} ms after: ${incoming.bytes.toString('latin1').slice(0, 500)}`,
        )
    },
  }
  const end = () => {
    incoming.ended = true
    wake()
  }
  socket.on('data', chunk => {
    incoming.bytes = Buffer.concat([incoming.bytes, chunk])
    wake()
  })
  socket.on('end', end)
  socket.on('close', end)
  socket.on('error', end) // a reset ends the connection as well; what came before it counts
  return incoming
}

async function readReply(incoming: Arrivals, toHead: boolean): Promise<RawReply> {
  const head = await readHead(incoming)
  const empty = toHead || head.status === 204 || head.status === 304
  return { ...head, body: empty ? Buffer.alloc(0) : await readBody(incoming, head.header) }
}

async function readHead(incoming: Arrivals): Promise<Omit<RawReply, 'body'>> {
  const head = (await until(incoming, '\r\n\r\n')).toString('latin1')
  const [statusLine = '', ...lines] = head.slice(0, -4).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) [\w -]+$/.exec(statusLine)?.[1])
  if (Number.isNaN(status)) throw new Error(`This is no status line: ${statusLine}`)
  if (status === 100) return readHead(incoming)
  const headers = lines.map((line): [string, string] => {
    const [, name, value] = /^([\w-]+): (.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`This is no header: ${line}`)
    return [name, value]
  })
  const header = (name: string) => {
    const values = headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }
  return { status, headers, header }
}

async function readBody(incoming: Arrivals, header: RawReply['header']): Promise<Buffer> {
  const length = header('content-length')
  if (length !== undefined) return take(incoming, Number(length))
  if (header('transfer-encoding') !== 'chunked') {
    while (!incoming.ended) await incoming.more()
    return take(incoming, incoming.bytes.length)
  }
  const chunks: Buffer[] = []
  for (;;) {
    const size = Number.parseInt((await until(incoming, '\r\n')).toString('latin1'), 16)
    chunks.push((await take(incoming, size + 2)).subarray(0, size))
    if (size === 0) return Buffer.concat(chunks)
  }
}

async function until(incoming: Arrivals, mark: string): Promise<Buffer> {
  for (;;) {
    const at = incoming.bytes.indexOf(mark)
    if (at >= 0) return take(incoming, at + mark.length)
    if (incoming.ended)
      throw new Error(`The connection ended in mid-reply: ${incoming.bytes.toString('latin1').slice(0, 500)}`)
    await incoming.more()
  }
}

async function take(incoming: Arrivals, length: number): Promise<Buffer> {
  while (incoming.bytes.length < length) {
    if (incoming.ended) throw new Error(`The connection ended ${length - incoming.bytes.length} bytes too early.`)
    await incoming.more()
  }
  const taken = incoming.bytes.subarray(0, length)
  incoming.bytes = incoming.bytes.subarray(length)
  return taken
}
