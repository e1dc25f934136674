import { fault } from '../../lib/faults.ts'

/** Images of one request, and the pixels of one: decoded, a pixel takes 3 bytes. */
export const imageLimits = { count: 32, pixels: 50_000_000 } as const

/** What the server can decode, by the first bytes. */
const kinds = ['png', 'jpeg', 'gif', 'bmp'] as const

/**
 * Checks an image that comes with the request. An address is refused: the server would fetch it itself, from inside this network.
 * @param param the place of the part in the request
 * @throws fault.unsupportedValue, fault.invalidValue
 */
export function checkImage(url: string, param: string): void {
  if (!url.startsWith('data:'))
    throw fault.unsupportedValue(
      param,
      'Images are not fetched for this model. Send the image itself, as a data URL: data:image/png;base64,…',
    )
  const [, head = '', data] = /^data:([^,]{0,128}),([A-Za-z0-9+/]+={0,2})$/.exec(url) ?? []
  const named = /^image\/[a-z0-9.+-]+;base64$/i.test(head)
  if (!named || data === undefined)
    throw fault.invalidValue(param, 'Expected a data URL of an image in base64: data:image/png;base64,…')
  const bytes = Buffer.from(data, 'base64')
  const size = sizeOf(bytes)
  if (size === undefined)
    throw fault.unsupportedValue(param, `This is no image that can be read here. Supported: ${kinds.join(', ')}.`)
  if (size.width * size.height > imageLimits.pixels)
    throw fault.invalidValue(param, `The image has more than ${imageLimits.pixels} pixels.`)
}

interface Size {
  readonly width: number
  readonly height: number
}

/** What the header of an image says of its size; undefined for bytes that are none. */
function sizeOf(bytes: Buffer): Size | undefined {
  if (bytes.length < 26) return undefined
  if (bytes.subarray(0, 8).equals(png)) return positive(bytes.readUInt32BE(16), bytes.readUInt32BE(20))
  if (/^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))) return positive(bytes.readUInt16LE(6), bytes.readUInt16LE(8))
  if (bytes.toString('latin1', 0, 2) === 'BM')
    return positive(Math.abs(bytes.readInt32LE(18)), Math.abs(bytes.readInt32LE(22)))
  return bytes[0] === 0xff && bytes[1] === 0xd8 ? jpegSize(bytes) : undefined
}

const png = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/** A JPEG is a row of segments; the one that begins a frame tells the size. */
function jpegSize(bytes: Buffer): Size | undefined {
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined
    const marker = bytes.readUInt8(at + 1)
    if (marker === 0xff) at++
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return positive(bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5))
    else at += 2 + bytes.readUInt16BE(at + 2)
  }
  return undefined
}

const positive = (width: number, height: number): Size | undefined =>
  width > 0 && height > 0 ? { width, height } : undefined
