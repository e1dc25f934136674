/** JSON Schema to GBNF, the notation of llama.cpp's grammars: pure, bounded, and never silent about what it cannot enforce. */
export { type CacheLimits, type GrammarCache, grammarCache } from './cache.ts'
export { type Grammar, jsonGrammar, schemaToGrammar } from './schema.ts'
export type { Place } from './spot.ts'
export { checkStrict, strictLimits } from './strict.ts'
export { callsMax, type ToolCall, type ToolCalls, toolCallGrammar } from './toolCalls.ts'
