import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

/** Whom a provider vouches for. */
export type Claims = Record<string, unknown>

/** What it does wrong. */
export interface Mischief {
  /** Instead of what is right, or beside it; undefined leaves a claim out. */
  claims?: Claims
  /** Of the token's header: `none` goes without a signature, `HS256` takes the client's secret for a key. */
  alg?: 'RS256' | 'ES256' | 'none' | 'HS256'
  /** Signs with a key that it does not publish, under the name of one that it does. */
  foreignKey?: boolean
  /** Changes the token after it was signed. */
  tampered?: boolean
  /** In place of the token's reply. */
  status?: number
  body?: string
}

/** A provider of identities for tests: OpenID Connect over http, which everybody passes at once, and which lies on demand. */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Requests by path. */
  readonly asked: Map<string, number>
  /** Who comes next, and what is wrong with their token. */
  next(claims: Claims, mischief?: Mischief): void
  /** From now on tokens are signed with a new key, and the old one is not published any more. */
  rotate(): void
  /** From now on requests are refused with this status; undefined: they are answered. */
  fail(status: number | undefined): void
}

interface Key {
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
}

/** @param now unix milliseconds, as the product sees them */
export async function startOidcProvider(now: () => number = Date.now): Promise<OidcProvider> {
  const [clientId, clientSecret] = ['parlance-test', 'a secret:with/odd%characters']
  const asked = new Map<string, number>()
  const codes = new Map<
    string,
    { challenge: string; nonce: string; redirectUri: string; claims: Claims; mischief: Mischief }
  >()
  let keys = { RS256: newKey('RS256'), ES256: newKey('ES256') }
  const foreign = newKey('ES256')
  let coming: { claims: Claims; mischief: Mischief } = { claims: {}, mischief: {} }
  let failing: number | undefined
  let issuer = ''

  const tokenOf = (nonce: string, claims: Claims, { claims: wrong, alg = 'ES256', foreignKey, tampered }: Mischief) => {
    const seconds = Math.floor(now() / 1000)
    const usual = { iss: issuer, aud: clientId, iat: seconds, exp: seconds + 300, nonce }
    const key = alg === 'RS256' ? keys.RS256 : keys.ES256
    const head = encoded({ alg, typ: 'JWT', kid: key.kid })
    const text = `${head}.${encoded({ ...usual, ...claims, ...wrong })}`
    const signature = signed(text, alg, { secret: clientSecret, key: foreignKey ? foreign : key })
    return tampered
      ? `${head}.${encoded({ ...usual, ...claims, sub: 'somebody else' })}.${signature}`
      : `${text}.${signature}`
  }

  /** @returns status and body of the token endpoint */
  const redeem = async (request: IncomingMessage): Promise<[number, string]> => {
    const form = new URLSearchParams(await bodyOf(request))
    const code = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const basic = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
    const given = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const isRight =
      code !== undefined &&
      decoded(given) === decoded(basic) &&
      code.challenge === challenge &&
      code.redirectUri === form.get('redirect_uri')
    if (!isRight) return [400, JSON.stringify({ error: 'invalid_grant' })]
    const { nonce, claims, mischief } = code
    const reply = { access_token: 'x', token_type: 'Bearer', id_token: tokenOf(nonce, claims, mischief) }
    return [mischief.status ?? 200, mischief.body ?? JSON.stringify(reply)]
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', issuer)
    asked.set(url.pathname, (asked.get(url.pathname) ?? 0) + 1)
    const json = (status: number, body: string) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    if (failing !== undefined) json(failing, '{}')
    else if (url.pathname === '/.well-known/openid-configuration')
      json(
        200,
        JSON.stringify({
          issuer,
          authorization_endpoint: `${issuer}/authorize?tenant=1`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ['code'],
          // More than the product takes, as careless providers do.
          id_token_signing_alg_values_supported: ['RS256', 'ES256', 'HS256', 'none'],
        }),
      )
    else if (url.pathname === '/jwks') json(200, JSON.stringify({ keys: Object.entries(keys).map(published) }))
    else if (url.pathname === '/authorize') {
      const {
        client_id,
        redirect_uri = '',
        state = '',
        nonce = '',
        code_challenge: challenge = '',
        ...rest
      } = Object.fromEntries(url.searchParams)
      const isRight = client_id === clientId && rest.response_type === 'code' && rest.code_challenge_method === 'S256'
      if (!isRight || !rest.scope?.split(' ').includes('openid')) return json(400, '{}')
      const code = randomUUID()
      codes.set(code, { challenge, nonce, redirectUri: redirect_uri, ...coming })
      const back = new URL(redirect_uri)
      for (const [name, value] of Object.entries({ code, state, session_state: 'x', iss: issuer }))
        back.searchParams.set(name, value)
      response.writeHead(302, { location: back.href }).end()
    } else if (url.pathname === '/token') json(...(await redeem(request)))
    else json(404, '{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The provider has no address.')
  issuer = `http://127.0.0.1:${address.port}`
  return {
    issuer,
    clientId,
    clientSecret,
    asked,
    next(claims, mischief = {}) {
      coming = { claims, mischief }
    },
    rotate() {
      keys = { RS256: newKey('RS256'), ES256: newKey('ES256') }
    },
    fail(status) {
      failing = status
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function newKey(alg: 'RS256' | 'ES256'): Key {
  const pair =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid: randomUUID(), ...pair }
}

const published = ([alg, { kid, publicKey }]: [string, Key]) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg,
  use: 'sig',
})

function signed(text: string, alg: Mischief['alg'], { secret, key }: { secret: string; key: Key }): string {
  if (alg === 'none') return ''
  if (alg === 'HS256') return createHmac('sha256', secret).update(text).digest('base64url')
  const options = { key: key.privateKey, ...(alg === 'ES256' && { dsaEncoding: 'ieee-p1363' as const }) }
  return sign('sha256', Buffer.from(text), options).toString('base64url')
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Clients disagree on which characters of a secret they escape. */
const decoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) text += part
  return text
}
