import Type, { type Static } from 'typebox'
import { parseProxy } from '../../../lib/connections/index.ts'

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description }))

/** How an upstream is reached, as a part of its settings. */
export const connectionSettings = {
  proxy: Type.Optional(
    Type.String({
      maxLength: 2048,
      writeOnly: true, // it may hold a password
      pattern: '^(none|https?://\\S+)$',
      description:
        'The proxy on the way there, such as `http://proxy.example:3128`, or `none`. Default: as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.',
    }),
  ),
  ca_file: file(
    'Certificate authorities (PEM) that are trusted beside the usual ones. A relative path counts from the folder of parlance.yaml.',
  ),
  cert_file: file('The certificate (PEM, with what stands between it and its authority) that the upstream is shown.'),
  key_file: file('Its private key (PEM).'),
  key_passphrase: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 1024,
      writeOnly: true,
      description: 'Of an encrypted `key_file`. Write `${NAME}` to read it from the environment.',
    }),
  ),
  connect_timeout_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 86_400_000,
      description: 'How long a connection may take, with proxy and TLS. Default: 10000.',
    }),
  ),
  connections: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_535, description: 'Connections at most. Default: 2048.' }),
  ),
}

const Connection = Type.Object(connectionSettings)

export type ConnectionSettings = Static<typeof Connection>

/** The settings that name a file. */
export const connectionFiles = ['ca_file', 'cert_file', 'key_file'] as const

/** What is wrong with settings that each are right alone: the one to look at, and a sentence that goes on after its name. */
export function connectionProblem(
  settings: ConnectionSettings,
): { name: keyof ConnectionSettings; message: string } | undefined {
  const { proxy, cert_file: cert, key_file: key, key_passphrase: passphrase } = settings
  if (cert !== undefined && key === undefined)
    return { name: 'cert_file', message: 'says nothing without a `key_file`' }
  if (key !== undefined && cert === undefined)
    return { name: 'key_file', message: 'says nothing without a `cert_file`' }
  if (passphrase !== undefined && key === undefined)
    return { name: 'key_passphrase', message: 'says nothing without a `key_file`' }
  if (proxy === undefined || proxy === 'none') return undefined
  try {
    parseProxy(proxy, 'proxy')
    return undefined
  } catch {
    return { name: 'proxy', message: 'must be the address of a proxy, such as `http://proxy.example:3128`, or `none`' }
  }
}
