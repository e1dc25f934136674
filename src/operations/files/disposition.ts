/**
 * `Content-Disposition` of a download (RFC 6266): the name in plain ASCII for old programs, and where that is not the whole name, once
 * more in UTF-8 (RFC 8187).
 */
export function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]/gu, '_')
  const quoted = plain.replaceAll(/["\\]/g, '\\$&')
  // A percent sign makes some browsers guess at an encoding.
  if (plain === filename && !filename.includes('%')) return `attachment; filename="${quoted}"`
  return `attachment; filename="${quoted.replaceAll('%', '_')}"; filename*=UTF-8''${extended(filename)}`
}

/** `encodeURIComponent` leaves alone what RFC 8187 does not allow. */
const extended = (text: string) =>
  encodeURIComponent(text).replaceAll(/['()*]/g, sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
