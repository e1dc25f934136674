import * as oauth from 'oauth4webapi'
import { type Dispatcher, request } from 'undici'
import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'

/** How this server is known to a provider. */
export interface ProviderSettings {
  issuer: string
  clientId: string
  clientSecret: string
  /** Asked for beside `openid`. */
  scopes: readonly string[]
}

/** What goes out with a browser and must come back with it. */
export interface Trip {
  state: string
  nonce: string
  /** PKCE: the secret behind the challenge that goes out. */
  verifier: string
  redirectUri: string
}

/** Whom the provider vouches for. */
export interface Identity {
  /** As `users.identity` holds it. */
  id: string
  email: string | undefined
  emailVerified: boolean
  name: string | undefined
}

export interface Provider {
  /** Where the browser goes. @throws Fault 503 `oidc_unavailable` */
  authorizeAt(trip: Trip, challenge: string): Promise<string>
  /**
   * @param parameters what came back with the browser
   * @throws Fault 400 `oidc_failed` when something is not as it must be; 503 `oidc_unavailable`
   */
  redeem(parameters: URLSearchParams, trip: Trip): Promise<Identity>
}

/** How long what the provider says of itself is believed. */
const metadataLifeMs = 3_600_000
/** While it cannot be reached, it is asked again after so long. */
const failureLifeMs = 5_000
const timeoutMs = 10_000
const replyBytesMax = 1_048_576
/** OpenID Connect's authorization code flow with PKCE; `oauth4webapi` knows the protocol, this file how we speak it. */
export function makeProvider(
  { issuer, clientId, clientSecret, scopes }: ProviderSettings,
  { clock, dispatcher }: { clock: Clock; dispatcher: Dispatcher },
): Provider {
  const url = new URL(issuer)
  const http = {
    [oauth.customFetch]: fetchThrough(dispatcher),
    [oauth.allowInsecureRequests]: url.protocol === 'http:',
  }
  const metadata = kept(clock, async () => {
    const response = await oauth.discoveryRequest(url, http)
    return oauth.processDiscoveryResponse(url, response)
  })
  /** The library reads the system's clock; it is told how far ours is from that. */
  const client = (): oauth.Client => ({
    client_id: clientId,
    [oauth.clockSkew]: Math.round((clock.now() - Date.now()) / 1000),
  })

  return {
    async authorizeAt({ state, nonce, redirectUri }, challenge) {
      const { authorization_endpoint: endpoint } = await metadata.get()
      if (endpoint === undefined)
        throw fault.oidcUnavailable(new Error('The provider names no authorization_endpoint.'))
      const target = new URL(endpoint)
      const asked = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: ['openid', ...scopes.filter(scope => scope !== 'openid')].join(' '),
        state,
        nonce,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      }
      for (const [name, value] of Object.entries(asked)) target.searchParams.set(name, value)
      return target.href
    },

    async redeem(parameters, { state, nonce, verifier, redirectUri }) {
      const server = await metadata.get()
      try {
        const answer = oauth.validateAuthResponse(server, client(), parameters, state)
        const authentication = authenticationOf(server, clientSecret)
        const reply = await oauth.authorizationCodeGrantRequest(
          server,
          client(),
          authentication,
          answer,
          redirectUri,
          verifier,
          http,
        )
        const wanted = { expectedNonce: nonce, requireIdToken: true }
        const result = await oauth.processAuthorizationCodeResponse(server, client(), reply, wanted)
        // Takes signatures by keys that the provider publishes alone, whatever the token says of its algorithm.
        await oauth.validateApplicationLevelSignature(server, reply, http).catch((error: unknown) => {
          if (!(error instanceof oauth.OperationProcessingError) || error.code !== oauth.KEY_SELECTION) throw error
          metadata.forget() // it may sign with a new key: the old ones are known by this object alone
          return oauth.validateApplicationLevelSignature({ ...server }, reply, http)
        })
        return identityOf(oauth.getValidatedIdTokenClaims(result))
      } catch (error) {
        throw faultOf(error)
      }
    },
  }
}

/** What was learnt lives for a while, a failure for a moment; who asks meanwhile waits with whoever asked first. */
function kept<Value>(clock: Clock, learn: () => Promise<Value>): { get(): Promise<Value>; forget(): void } {
  let known: { value: Promise<Value>; untilMs: number } | undefined
  return {
    get() {
      if (known !== undefined && clock.monotonic() < known.untilMs) return known.value
      const value = learn().catch((error: unknown) => {
        if (known?.value === value) known.untilMs = clock.monotonic() + failureLifeMs
        throw fault.oidcUnavailable(error)
      })
      known = { value, untilMs: clock.monotonic() + metadataLifeMs }
      return value
    },
    forget() {
      known = undefined
    },
  }
}

function authenticationOf(server: oauth.AuthorizationServer, secret: string): oauth.ClientAuth {
  const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } = server
  const takesBasic = methods.includes('client_secret_basic') || !methods.includes('client_secret_post')
  return takesBasic ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret)
}

/** @throws Error */
function identityOf(claims: oauth.IDToken | undefined): Identity {
  if (claims === undefined || !/^[\x20-\x7e]{1,255}$/.test(claims.sub)) throw new Error('The token names nobody.')
  const { iss, sub, email, email_verified: verified, name } = claims
  return {
    id: `${iss} ${sub}`,
    email: typeof email === 'string' ? email : undefined,
    emailVerified: verified === true,
    name: typeof name === 'string' ? name.slice(0, 256) : undefined,
  }
}

/** What went wrong, for people: a refusal of the provider, an answer that is not right, or none. */
function faultOf(error: unknown): Error {
  if (error instanceof oauth.AuthorizationResponseError) {
    const reason = /^[\w.-]{1,64}$/.test(error.error) ? error.error : 'an error'
    return fault.oidcFailed(`the provider answered '${reason}'`, error)
  }
  if (error instanceof oauth.ResponseBodyError) return fault.oidcFailed('the provider did not accept the code', error)
  const isAnswer = error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError
  if (isAnswer) return fault.oidcFailed('what the provider answered is not what was asked for', error)
  return fault.oidcUnavailable(error)
}

/** What the library calls: no redirects, and bounds on time and size. */
function fetchThrough(dispatcher: Dispatcher) {
  return async (
    url: string,
    { body, headers, method, signal }: oauth.CustomFetchOptions<string, URLSearchParams | undefined | null>,
  ): Promise<Response> => {
    const reply = await request(url, {
      dispatcher,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body?.toString() ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]),
    })
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of reply.body) {
      bytes += (part as Buffer).length
      if (bytes > replyBytesMax) throw new Error(`${new URL(url).host} answered with more than ${replyBytesMax} bytes.`)
      parts.push(part as Buffer)
    }
    const named = Object.entries(reply.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    )
    return new Response(Buffer.concat(parts), { status: reply.statusCode, headers: named })
  }
}
