/** Tokens as OpenAI's models count them. The only file of this folder that others import. */
export { type ChatCount, type ChatOptions, type ChatRequest, countChat, countChatInSlices } from './chat.ts'
export { type EncodingName, encodingNames, isEncodingName } from './definitions.ts'
export { Encoding, type SliceOptions, type TokenDecoder } from './encoding.ts'
export { type ImageSize, imageSizeOf, imageTokens, imageTokensMax } from './images.ts'
export { baseModel, encodingNameForModel, findEncodingName } from './models.ts'
export { encodingForModel, getEncoding, loadEncoding } from './registry.ts'
export type { SpecialOptions } from './special.ts'
