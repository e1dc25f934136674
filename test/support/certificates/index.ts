import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where a file of the certificates lies; `make.sh` says what each of them is. */
export const certificateFile = (name: string): string => fileURLToPath(new URL(`./${name}.pem`, import.meta.url))

/** What the file holds. */
export const pem = (name: string): string => readFileSync(certificateFile(name), 'utf8')

/** For a server that speaks TLS with one of the certificates. */
export const serverWith = (name: 'server' | 'expired' | 'elsewhere') => ({ cert: pem(name), key: pem('server-key') })

/** Of `client-key-encrypted.pem`. */
export const passphrase = 'open-sesame'
