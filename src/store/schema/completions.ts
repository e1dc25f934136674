/** Chat completions that were asked to be kept (`store: true`). Times are unix milliseconds. */

export interface ChatCompletionsTable {
  /** As clients know it: `chatcmpl-…`. */
  id: string
  organization_id: string
  project_id: string
  /** When it was stored. */
  created_at: number
  /** JSON object; the one part that can be changed. */
  metadata: string
  /** JSON object: the completion as clients see it, without `metadata`. */
  body: string
  /** JSON array: the messages of the request as they were sent. */
  messages: string
}

/**
 * What lists are filtered by, so that a filter is a look into an index and never a walk through all completions.
 */
export interface ChatCompletionLabelsTable {
  /** Of the completion. */
  id: string
  /** A hash of what is looked for: texts of clients are too long for an index, and may hold NUL, which PostgreSQL refuses. */
  label: string
  kind: 'model' | 'metadata'
  /** As in the completion. */
  project_id: string
  created_at: number
}
