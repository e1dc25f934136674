/** The cookie of whoever is signed in. */
export const sessionCookie = 'parlance_session'

/** The header beside it: a page of another origin cannot send one of its own without being asked about it first. */
export const csrfHeader = 'x-parlance-csrf'

export interface CookieKind {
  name: string
  /** `Strict`: never sent by a click on another site. `Lax`: sent when such a click leads here. */
  sameSite: 'Strict' | 'Lax'
  path: string
}

/** A `Set-Cookie` header that no script can read. @param value of visible characters; null: the browser forgets it */
export function setCookie(
  { name, sameSite, path }: CookieKind,
  value: string | null,
  { secure, lifeMs }: { secure: boolean; lifeMs: number },
): readonly [string, string] {
  const life = value === null ? 0 : Math.floor(lifeMs / 1000)
  const parts = [`${name}=${value ?? ''}`, `Path=${path}`, `Max-Age=${life}`, 'HttpOnly', `SameSite=${sameSite}`]
  return ['set-cookie', [...parts, ...(secure ? ['Secure'] : [])].join('; ')]
}

/**
 * The cookie of this name in a `Cookie` header. Of several, none: another site of the same domain may have put one of them there, and
 * which one is ours cannot be seen.
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  const values = header.split(';').flatMap(pair => {
    const [key = '', ...rest] = pair.split('=')
    return key.trim() === name ? [rest.join('=').trim()] : []
  })
  return values.length === 1 ? values[0] : undefined
}
