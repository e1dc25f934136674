import type { Random } from './random.ts'

/** Every kind of identifier: the prefix clients look at, the length of the random part, and its alphabet. */
const kinds = {
  chatcmpl: { prefix: 'chatcmpl-', length: 29, alphabet: 'base62' },
  cmpl: { prefix: 'cmpl-', length: 29, alphabet: 'base62' },
  request: { prefix: 'req_', length: 32, alphabet: 'hex' }, // wire.md: req_<32 hex>
  key: { prefix: 'key_', length: 16, alphabet: 'base62' },
  secret: { prefix: 'sk-', length: 48, alphabet: 'base62' }, // 285 bits: looked up by SHA-256, never compared
  projectSecret: { prefix: 'sk-proj-', length: 48, alphabet: 'base62' },
  serviceSecret: { prefix: 'sk-svcacct-', length: 48, alphabet: 'base62' },
  adminSecret: { prefix: 'sk-admin-', length: 48, alphabet: 'base62' },
  operatorSecret: { prefix: 'op-', length: 48, alphabet: 'base62' }, // of one start of the server, for commands on its machine
  user: { prefix: 'user-', length: 24, alphabet: 'base62' },
  serviceAccount: { prefix: 'svc_acct_', length: 24, alphabet: 'base62' },
  invite: { prefix: 'invite-', length: 24, alphabet: 'base62' },
  inviteSecret: { prefix: 'inv-', length: 40, alphabet: 'base62' },
  session: { prefix: 'sess-', length: 48, alphabet: 'base62' }, // the cookie of whoever is signed in
  password: { prefix: '', length: 20, alphabet: 'base62' }, // 119 bits, for somebody who has forgotten theirs
  setupSecret: { prefix: 'setup-', length: 48, alphabet: 'base62' }, // of one start of the server, for the first owner
  audit: { prefix: 'audit_log-', length: 24, alphabet: 'base62' },
  grant: { prefix: 'grant_', length: 24, alphabet: 'base62' },
  event: { prefix: 'evt_', length: 24, alphabet: 'base62' },
  code: { prefix: 'code_', length: 24, alphabet: 'base62' },
  codeSecret: { prefix: 'credit-', length: 32, alphabet: 'base62' },
  org: { prefix: 'org-', length: 24, alphabet: 'base62' },
  project: { prefix: 'proj_', length: 24, alphabet: 'base62' },
  usage: { prefix: 'use_', length: 24, alphabet: 'base62' },
  file: { prefix: 'file-', length: 22, alphabet: 'base62' },
  upload: { prefix: 'upload_', length: 24, alphabet: 'base62' },
  part: { prefix: 'part_', length: 24, alphabet: 'base62' },
  blob: { prefix: 'blob_', length: 32, alphabet: 'base62' }, // a name in a folder, and never told to anybody
  job: { prefix: 'job_', length: 24, alphabet: 'base62' },
  batch: { prefix: 'batch_', length: 32, alphabet: 'hex' },
  batchRequest: { prefix: 'batch_req_', length: 32, alphabet: 'hex' },
} as const

export type IdKind = keyof typeof kinds

/** Makes identifiers and secrets; the randomness is injected. */
export interface Ids {
  make(kind: IdKind): string
}

export function makeIds(random: Random): Ids {
  return {
    make(kind) {
      const { prefix, length, alphabet } = kinds[kind]
      return prefix + (alphabet === 'hex' ? random.bytes(length / 2).toString('hex') : base62(random, length))
    },
  }
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Rejects bytes from 248 on, so that all 62 letters are equally likely. */
function base62(random: Random, length: number): string {
  let text = ''
  while (text.length < length)
    for (const byte of random.bytes(length - text.length + 4))
      if (byte < 248 && text.length < length) text += letters[byte % 62]
  return text
}
