import { baseModel } from './models.ts'

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** Models that see an image as squares of 512 pixels, with the tokens of the whole and of each square. */
interface Tiles {
  readonly base: number
  readonly tile: number
}

/** Models that see it as patches of 32 pixels, at most 1,536, with the tokens of each. */
interface Patches {
  readonly perPatch: number
}

/**
 * Sources: OpenAI's guide "Images and vision", section "Calculating costs". Not from there but from what the API bills: gpt-5-mini
 * and gpt-5-nano (the guide says 1.62 and 2.46; community.openai.com topic 1344040 measures 1.2 and 1.5, as OpenAI's own price
 * calculator does).
 */
const rules: readonly (readonly [prefix: string, Tiles | Patches])[] = [
  ['gpt-4.1-mini', { perPatch: 1.62 }],
  ['gpt-4.1-nano', { perPatch: 2.46 }],
  ['gpt-5-mini', { perPatch: 1.2 }],
  ['gpt-5-nano', { perPatch: 1.5 }],
  ['o4-mini', { perPatch: 1.72 }],
  ['gpt-4o-mini', { base: 2833, tile: 5667 }],
  ['gpt-5', { base: 70, tile: 140 }],
  ['o1', { base: 75, tile: 150 }],
  ['o3', { base: 75, tile: 150 }],
  ['computer-use-preview', { base: 65, tile: 129 }],
  ['', { base: 85, tile: 170 }],
]

/** Tokens of an image in a chat. `detail` is `low`, `high` or `auto`, which bills as `high`; models with patches do not look at it. */
export function imageTokens(model: string, size: ImageSize, detail = 'auto'): number {
  const rule = ruleOf(model)
  if ('perPatch' in rule) return Math.ceil(Number((patches(size) * rule.perPatch).toFixed(6)))
  return detail === 'low' ? rule.base : rule.base + rule.tile * tiles(size)
}

/** The most that an image of any size can cost. */
export function imageTokensMax(model: string, detail = 'auto'): number {
  const rule = ruleOf(model)
  if ('perPatch' in rule) return Math.ceil(Number((patchesMax * rule.perPatch).toFixed(6)))
  return detail === 'low' ? rule.base : rule.base + rule.tile * tilesMax
}

function ruleOf(model: string): Tiles | Patches {
  const base = baseModel(model)
  return rules.find(([prefix]) => base.startsWith(prefix))![1]
}

/**
 * The image is fitted into a square of 2,048 pixels, then its shorter side is brought down to 768; smaller ones stay. Sides are
 * rounded to the nearest pixel, halves to the even one: of 2,049 x 513 the API bills 8 squares, of 2,050 x 513 4
 * (community.openai.com topic 1281361).
 */
function tiles({ width, height }: ImageSize): number {
  let [w, h] = [Math.max(1, width), Math.max(1, height)]
  const longer = Math.max(w, h)
  if (longer > 2048) [w, h] = [roundEven((w * 2048) / longer), roundEven((h * 2048) / longer)]
  const shorter = Math.min(w, h)
  if (shorter > 768) [w, h] = [roundEven((w * 768) / shorter), roundEven((h * 768) / shorter)]
  return Math.max(1, Math.ceil(w / 512)) * Math.max(1, Math.ceil(h / 512))
}

/** 2,048 x 768 */
const tilesMax = 8
const patchesMax = 1536

/** Above 1,536 patches the image is scaled to as many whole patches as fit. */
function patches({ width, height }: ImageSize): number {
  const [w, h] = [Math.max(1, width), Math.max(1, height)]
  const count = Math.ceil(w / 32) * Math.ceil(h / 32)
  if (count <= patchesMax) return count
  const ratio = Math.sqrt((32 * 32 * patchesMax) / (w * h))
  const [across, down] = [(w * ratio) / 32, (h * ratio) / 32]
  const shrink = Math.min(Math.floor(across) / across, Math.floor(down) / down)
  if (shrink === 0) return patchesMax
  // Whole numbers of patches come out a trifle above or below themselves.
  const whole = (value: number) => Math.ceil(value - 1e-9)
  return Math.min(patchesMax, whole(across * shrink) * whole(down * shrink))
}

function roundEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded
}

/** The size of a PNG, JPEG, GIF or WebP image by its first bytes; undefined for anything else. Reads only, never allocates. */
export function imageSizeOf(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length >= 24 && view.getUint32(0) === 0x89504e47) {
    return { width: view.getUint32(16), height: view.getUint32(20) }
  }
  if (bytes.length >= 10 && view.getUint32(0) === 0x47494638) {
    return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  }
  if (bytes.length >= 30 && view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return webpSize(view)
  if (bytes.length >= 4 && view.getUint16(0) === 0xffd8) return jpegSize(view)
  return undefined
}

function webpSize(view: DataView): ImageSize | undefined {
  const kind = view.getUint32(12)
  if (kind === 0x56503820)
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  if (kind === 0x5650384c) {
    const bits = view.getUint32(21, true)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  if (kind !== 0x56503858) return undefined
  const three = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
  return { width: three(24) + 1, height: three(27) + 1 }
}

/** Walks the segments up to the frame header; each step goes forward by at least two bytes. */
function jpegSize(view: DataView): ImageSize | undefined {
  for (let at = 2; at + 9 <= view.byteLength; ) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at++
      continue
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    at += 2 + Math.max(2, view.getUint16(at + 2))
  }
  return undefined
}
