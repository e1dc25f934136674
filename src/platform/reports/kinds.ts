/** By what usage can be split. `line_item`: by what is charged for. */
export const dimensions = [
  ...(['project_id', 'user_id', 'api_key_id', 'model', 'batch', 'service_tier', 'size', 'source'] as const),
  'line_item',
] as const
export type Dimension = (typeof dimensions)[number]

/** A kind of usage, as `/v1/organization/usage/…` tells them apart. */
export interface UsageKind {
  /** Ids of operations; with a star at the end, all that begin so. */
  readonly operations: readonly string[]
}

/** Which rows of the ledger belong to which kind: every operation that is charged for stands here once. */
export const usageKinds = {
  completions: {
    operations: ['chat.*', 'completions.*', 'edits.*', 'engines.completions.*', 'responses.*', 'threads.*'],
  },
  embeddings: { operations: ['embeddings.*', 'engines.embeddings.*', 'rerank.*'] },
  moderations: { operations: ['moderations.*'] },
  images: { operations: ['images.*'] },
  audio_speeches: { operations: ['audio.speech.*'] },
  audio_transcriptions: { operations: ['audio.transcriptions.*', 'audio.translations.*'] },
  vector_stores: { operations: ['vector_stores.*'] },
  code_interpreter_sessions: { operations: ['code_interpreter.*'] },
} as const satisfies Record<string, UsageKind>

export type UsageKindName = keyof typeof usageKinds

/** What images were made by, in OpenAI's words. */
export const imageSources = {
  'image.generation': ['images.generations.*'],
  'image.edit': ['images.edits.*'],
  'image.variation': ['images.variations.*'],
} as const satisfies Record<string, readonly string[]>

export type ImageSource = keyof typeof imageSources

/** Whether an operation is meant by a list as above. */
export const isMeant = (operation: string, patterns: readonly string[]): boolean =>
  patterns.some(pattern => (pattern.endsWith('*') ? operation.startsWith(pattern.slice(0, -1)) : operation === pattern))

/** Undefined for what is charged for in no other way than by its cost. */
export const kindOf = (operation: string): UsageKindName | undefined =>
  (Object.keys(usageKinds) as UsageKindName[]).find(name => isMeant(operation, usageKinds[name].operations))
