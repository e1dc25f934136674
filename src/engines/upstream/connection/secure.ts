import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { ConnectionSettings } from './settings.ts'

/** What the files of an upstream hold. */
export interface Papers {
  ca?: string
  cert?: string
  key?: string
  passphrase?: string
}

const fileBytesMax = 4 * 1024 * 1024

/**
 * Reads the files that the settings name.
 * @param named where the settings stand, such as `upstreams.east`
 * @throws Error that names the setting and the file
 */
export function readPapers(settings: ConnectionSettings, named: string): Papers {
  const { ca_file: ca, cert_file: cert, key_file: key, key_passphrase: passphrase } = settings
  const read = (file: string, setting: string) => {
    const where = `\`${named}.${setting}\`: the file ${file}`
    let text: string
    try {
      text = readFileSync(file, 'latin1')
    } catch (error) {
      throw new Error(`${where} cannot be read.`, { cause: error })
    }
    if (text.length > fileBytesMax || !text.includes('-----BEGIN '))
      throw new Error(`${where} is no file of certificates or keys in the PEM form.`)
    return text
  }
  return {
    ...(ca !== undefined && { ca: checkedCertificates(read(ca, 'ca_file'), `\`${named}.ca_file\`: ${ca}`) }),
    ...(cert !== undefined && {
      cert: checkedCertificates(read(cert, 'cert_file'), `\`${named}.cert_file\`: ${cert}`),
    }),
    ...(key !== undefined && { key: read(key, 'key_file') }),
    ...(passphrase !== undefined && { passphrase }),
  }
}

/** Node passes over a certificate that it cannot read, and the connection fails later for another reason. */
function checkedCertificates(text: string, where: string): string {
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0) throw new Error(`${where} holds no certificate.`)
  for (const [place, certificate] of certificates.entries())
    try {
      new X509Certificate(certificate)
    } catch (error) {
      throw new Error(`${where}: certificate ${place + 1} cannot be read.`, { cause: error })
    }
  return text
}

/**
 * For connections to the upstream, and to a proxy on the way, which is not shown our certificate. Undefined where the defaults will do.
 * Made once: the usual authorities are some 150 certificates.
 * @throws Error when key, passphrase and certificate do not go together
 */
export function secureContexts(papers: Papers, named: string): { secure?: SecureContext; proxySecure?: SecureContext } {
  const { ca, cert, key, passphrase } = papers
  const trusted = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }
  const proxySecure = ca === undefined ? {} : { proxySecure: createSecureContext(trusted) }
  if (cert === undefined || key === undefined)
    return ca === undefined ? {} : { secure: createSecureContext(trusted), ...proxySecure }
  try {
    const shown = { cert, key, ...(passphrase !== undefined && { passphrase }) }
    return { secure: createSecureContext({ ...trusted, ...shown }), ...proxySecure }
  } catch (error) {
    throw new Error(
      `\`${named}.key_file\` cannot be used: it must be the key of \`cert_file\`, and \`key_passphrase\` its passphrase if it has one.`,
      { cause: error },
    )
  }
}
