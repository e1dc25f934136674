import type { FastifyRequest } from 'fastify'
import { Fault, fault } from '../lib/faults.ts'
import { type Caller, nobody } from '../platform/access.ts'
import type { Services } from '../platform/execute.ts'
import type { Claims, Keys } from '../platform/keys.ts'
import type { Operation } from '../platform/operation.ts'
import { readCookie, sessionCookie } from '../platform/sign-in/cookies.ts'
import type { Reach } from './reach.ts'

type Asking = Pick<FastifyRequest, 'headers' | 'method' | 'protocol' | 'url' | 'visit'>

interface Door {
  keys: Keys
  services: Pick<Services, 'signIn'>
  reach: Reach
}

/**
 * The caller behind the credentials of a request: a key, or the cookie of whoever is signed in, with `OpenAI-Organization` and
 * `OpenAI-Project` to choose where it acts. A request with both goes by the key. A promise only when something has to be looked up.
 * Leaves in `visit` what signing in needs to know of a browser.
 * @throws Fault 401; 403 for a cookie that somebody else's page has made the browser send; or rejects with it
 */
export function authenticate(operation: Operation, request: Asking, door: Door): Caller | Promise<Caller> {
  if (operation.scope === 'anyone') return visitor(request, door)
  const { headers } = request
  if (headers.authorization === undefined && (headers['api-key'] ?? '') === '') {
    const secret = sessionOf(headers.cookie)
    if (secret !== undefined) return signedIn(secret, request, door)
    if (operation.scope === 'person') throw fault.sessionOver()
  }
  const { keys } = door
  const secret = keyIn(headers)
  const claims = claimsOf(headers)
  return (secret === undefined ? undefined : keys.recall(secret, claims)) ?? keys.find(secret, claims)
}

function signedIn(secret: string, request: Asking, { services: { signIn }, reach }: Door): Caller | Promise<Caller> {
  const { headers } = request
  request.visit = { origin: reach.check(request), url: request.url, cookies: headers.cookie }
  const claims = claimsOf(headers)
  return signIn.sessions.recall(secret, claims) ?? signIn.sessions.find(secret, claims)
}

/** Whoever asks for what needs no credentials. Pages of others may lead a browser here, but not send anything from it. */
function visitor(request: Asking, { services: { signIn }, reach }: Door): Caller | Promise<Caller> {
  const { headers, method } = request
  const { cookie } = headers
  const leads = method === 'GET' || method === 'HEAD'
  const origin = leads ? reach.originOf(request) : reach.check(request)
  request.visit = { origin, url: request.url, cookies: cookie }
  const secret = leads ? undefined : sessionOf(cookie)
  if (secret === undefined) return nobody
  return signIn.sessions.find(secret).catch((error: unknown) => {
    if (error instanceof Fault && error.status === 401) return nobody // over: that is why they come
    throw error
  })
}

function sessionOf(cookies: string | undefined): string | undefined {
  const secret = readCookie(cookies, sessionCookie)
  return secret !== undefined && /^sess-[0-9A-Za-z]{48}$/.test(secret) ? secret : undefined
}

function claimsOf(headers: FastifyRequest['headers']): Claims | undefined {
  const organization = single(headers['openai-organization'])
  const project = single(headers['openai-project'])
  return organization === undefined && project === undefined ? undefined : { organization, project }
}

/**
 * The key, wherever it stands: `Authorization: Bearer …`, or `api-key: …` as Azure's clients have it, one of which writes `Bearer`
 * there too. Some send both with the same key, and a proxy may add an `Authorization` of another kind (wire.md section 1); of two keys
 * the bearer's counts.
 */
function keyIn({ authorization = '', 'api-key': apiKey }: FastifyRequest['headers']): string | undefined {
  const [, bearer] = /^bearer +(\S{1,512})\s*$/i.exec(authorization) ?? []
  return bearer ?? /^(?:bearer +)?(\S{1,512})$/i.exec(typeof apiKey === 'string' ? apiKey : '')?.[1]
}

/** An empty header counts as absent: clients send one when their setting is empty. */
function single(header: string | string[] | undefined): string | undefined {
  const value = Array.isArray(header) ? header[0] : header
  return value === undefined || value.trim() === '' ? undefined : value.trim().slice(0, 256)
}
