import { Fault } from '../../../lib/faults.ts'
import type { Answer, Unanswered } from './ask.ts'
import type { UpstreamDoor } from './door.ts'

/** What is wrong with an upstream, for whoever runs this server: in words of ours, with what to do next, and never with a secret. */

type Door = Pick<UpstreamDoor, 'name' | 'origin' | 'hasKey' | 'proxied'>

/** Which step of a request failed; `list`: it answers, but not to this question. */
export type Stage = 'resolve' | 'connect' | 'key' | 'answer' | 'list'

export interface Trouble {
  readonly stage: Stage
  readonly detail: string
}

/** Why an upstream cannot even be asked: what `line` and `doorOf` throw, which is written for the operator. */
export function whyUnusable(error: unknown): string {
  const told = error instanceof Fault && error.cause instanceof Error ? error.cause : error
  return `It cannot be used as it is set up: ${told instanceof Error ? told.message : 'nobody says why'}`
}

/** Why there was no whole answer. */
export function whyUnanswered(error: Unanswered, door: Door): Trouble {
  const { origin } = door
  if (error.why === 'left') return { stage: 'answer', detail: 'It was not waited for any longer.' }
  if (error.why === 'busy')
    return { stage: 'connect', detail: 'All connections to it are taken, and too many requests wait for one.' }
  if (error.why === 'too long')
    return { stage: 'answer', detail: `${origin} sends more than a list of models can be. Check \`base_url\`.` }
  if (error.during === 'connecting') return whyUnconnected(error, door)
  if (error.why === 'timeout')
    return {
      stage: 'answer',
      detail: `${origin} takes the connection but does not answer in time. It may be starting, or overloaded.`,
    }
  if (error.code?.startsWith('HPE_') === true)
    return {
      stage: 'answer',
      detail: `${origin} does not speak HTTP. If it speaks TLS, write https:// in \`base_url\`.`,
    }
  return { stage: 'answer', detail: `${origin} closed the connection before its answer was whole. Look into its log.` }
}

function whyUnconnected({ code, why }: Unanswered, { origin, proxied }: Door): Trouble {
  const connect = (detail: string): Trouble => ({ stage: 'connect', detail })
  const way = proxied ? ' through the proxy' : ''
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return {
      stage: 'resolve',
      detail: `Nobody knows the name in ${origin}${proxied ? ' or that of the proxy' : ''}. Check the spelling of \`base_url\`, and the name servers of this machine.`,
    }
  if (code === 'ECONNREFUSED')
    return connect(`Nothing listens at ${origin}${way}. Start the server there, or mend \`base_url\`.`)
  if (why === 'timeout' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return connect(`${origin} takes no connection${way} in time. A firewall or a wrong address does that.`)
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return connect(`There is no way from this machine to ${origin}${way}. Check the network and \`base_url\`.`)
  const tls = code === undefined ? undefined : tlsTrouble(code)
  if (tls !== undefined) return connect(`${origin} ${tls}`)
  return connect(`No connection to ${origin}${way}${code === undefined ? '' : ` (${code})`}. Check \`base_url\`.`)
}

/** By the codes of OpenSSL and Node. */
function tlsTrouble(code: string): string | undefined {
  if (code === 'CERT_HAS_EXPIRED') return 'shows a certificate that has expired. It must be renewed there.'
  if (code === 'CERT_NOT_YET_VALID')
    return 'shows a certificate that is not valid yet. Check the clock of this machine.'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'shows a certificate of another name. Write the name in `base_url` that the certificate has.'
  if (/SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/.test(code))
    return 'shows a certificate of an authority that this machine does not know. Name that authority for this upstream.'
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
    return `and this machine do not agree on TLS (${code}). If it speaks plain HTTP, write http:// in \`base_url\`.`
  return undefined
}

/** Why an answer is not the one that was asked for. @param asked such as `the list of models` */
export function whyRefused(
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  door: Door,
  asked: string,
): Trouble {
  const answer = (detail: string): Trouble => ({ stage: 'answer', detail })
  const { name, origin, hasKey } = door
  if (status === 401 || status === 403)
    return {
      stage: 'key',
      detail: hasKey
        ? `${origin} refuses the key (status ${status}). Set another one: \`parlance upstream set ${name} --api-key-stdin\`.`
        : `${origin} wants a key (status ${status}). Set one: \`parlance upstream set ${name} --api-key-stdin\`.`,
    }
  if (status >= 300 && status < 400)
    return answer(
      `${origin} sends elsewhere (status ${status}), which is not followed. Write the address that answers.`,
    )
  if (status === 404 || status === 405)
    return {
      stage: 'list',
      detail: `${origin} does not know ${asked} (status ${status}). Most servers want \`/v1\` at the end of \`base_url\`.`,
    }
  if (status === 429) return answer(`${origin} wants fewer requests, or has no credit left for this key (status 429).`)
  if (status >= 500)
    return answer(`${origin} is in trouble itself (status ${status}). Look into its log, or try later.`)
  if (status !== 200) return answer(`${origin} refuses ${asked} (status ${status}).`)
  const type = [headers['content-type']].flat()[0] ?? ''
  if (/\btext\/html\b/i.test(type))
    return answer(
      `${origin} answers with a web page in place of ${asked}. Most servers want \`/v1\` at the end of \`base_url\`.`,
    )
  return answer(`What ${origin} sends is not ${asked}. Check \`base_url\`.`)
}
