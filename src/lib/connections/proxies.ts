import { BlockList, isIP } from 'node:net'

/** A proxy on the way to other servers. */
export interface ProxyServer {
  /** Without credentials: it may stand in logs. */
  readonly origin: string
  readonly protocol: 'http:' | 'https:'
  /** An IPv6 address without its brackets. */
  readonly hostname: string
  readonly port: string
  /** The value of `proxy-authorization`; undefined when the address names nobody. */
  readonly authorization: string | undefined
}

/** Which proxies are used, in the words of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface Proxies {
  readonly http?: string | undefined
  readonly https?: string | undefined
  /** Hosts that are reached without one, separated by commas or spaces. */
  readonly none?: string | undefined
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * Reads the address of a proxy; one without a scheme speaks http, as curl has it.
 * @param named where it is written, for the message
 * @throws Error in words for the operator, which never repeats the address: it may hold a password
 */
export function parseProxy(text: string, named: string): ProxyServer {
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const wrong = new Error(`${named} must be the address of a proxy, such as \`http://proxy.example:3128\`.`)
  if (!URL.canParse(written)) throw wrong
  const { protocol, hostname, host, port, username, password, pathname, search, hash } = new URL(written)
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new Error(`${named} must be a proxy that speaks http or https: other kinds are not supported.`)
  if (hostname === '' || pathname !== '/' || search !== '' || hash !== '') throw wrong
  return {
    origin: `${protocol}//${host}`,
    protocol,
    hostname: bare(hostname),
    port: port || defaultPorts[protocol]!,
    authorization: username === '' ? undefined : basic(username, password, wrong),
  }
}

function basic(username: string, password: string, wrong: Error): string {
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(pair).toString('base64')}`
  } catch {
    throw wrong // a stray percent sign
  }
}

/**
 * The proxy on the way to a URL; undefined when there is none. What is on this machine is never asked for through one: the proxy
 * would look for it on its own.
 * @throws Error of `parseProxy`, naming the variable
 */
export function proxyFor(url: URL, { http, https, none }: Proxies): ProxyServer | undefined {
  const [text, named] = url.protocol === 'https:' ? [https, 'HTTPS_PROXY'] : [http, 'HTTP_PROXY']
  if (text === undefined || text === '' || isOnThisMachine(url) || isExcepted(url, none ?? '')) return undefined
  return parseProxy(text, named)
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

function isOnThisMachine(url: URL): boolean {
  const host = nameOf(url.hostname)
  return host === 'localhost' || host.endsWith('.localhost') || isIn(loopback, host)
}

/**
 * Whether `NO_PROXY` names a host: `*`, `example.com` and `.example.com` (with all below), `*.example.com` (what is below alone),
 * addresses, networks (`10.0.0.0/8`), each with `:port` if it holds for that port only. There is no standard; this is what curl, Go
 * and Python's requests agree on.
 */
function isExcepted(url: URL, none: string): boolean {
  const host = nameOf(url.hostname)
  const port = url.port || defaultPorts[url.protocol]
  return none.split(/[,\s]+/).some(entry => {
    const { name, only } = split(entry.toLowerCase())
    return name !== '' && (only === undefined || only === port) && (name === '*' || names(name, host))
  })
}

function names(name: string, host: string): boolean {
  const [address = '', bits] = name.split('/')
  const family = isIP(address)
  if (family !== 0) {
    const list = new BlockList()
    const kind = family === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, kind)
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
      list.addSubnet(address, Number(bits), kind)
    return isIn(list, host)
  }
  const suffix = nameOf(name.replace(/^\*?\./, ''))
  return suffix !== '' && (host.endsWith(`.${suffix}`) || (host === suffix && !name.startsWith('*')))
}

const isIn = (list: BlockList, host: string): boolean =>
  isIP(host) !== 0 && list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6')

/** `host:80`, `[::1]:80` and `::1`: name, and the port that it is for. */
function split(entry: string): { name: string; only: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(entry) ?? []
  return { name: bracketed ?? plain ?? entry, only: port }
}

/** `example.com.` is the same name as `example.com`. */
const nameOf = (hostname: string): string => bare(hostname).replace(/\.$/, '')

const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1')
