/** `4.7 GB`, `12.3 MB`, `900 bytes`. */
export function inWords(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`
  return bytes >= 1e4 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} bytes`
}
