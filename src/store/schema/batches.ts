/** Batches of requests. Times are unix milliseconds. */

export type BatchStatus =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled'

export interface BatchesTable {
  /** As clients know it: `batch_…`. */
  id: string
  organization_id: string
  project_id: string
  created_at: number
  /** With whose rights the lines run: a key; a person, who was signed in; the operator of this machine. */
  principal: 'key' | 'person' | 'operator'
  /** Of the key, or of the person; empty for the operator. */
  principal_id: string
  /** As it was asked for, such as `/v1/chat/completions`. */
  endpoint: string
  /** That all lines name; null until the input was read. */
  model: string | null
  input_file_id: string
  output_file_id: string | null
  error_file_id: string | null
  status: BatchStatus
  /** JSON array: why the batch as a whole failed. */
  errors: string | null
  total: number
  completed: number
  failed: number
  /** Of the lines that are done. */
  input_tokens: number
  cached_tokens: number
  output_tokens: number
  reasoning_tokens: number
  /** JSON object. */
  metadata: string | null
  /** How long the files live that are made; null: for ever. */
  output_seconds: number | null
  expires_at: number
  in_progress_at: number | null
  finalizing_at: number | null
  completed_at: number | null
  failed_at: number | null
  expired_at: number | null
  cancelling_at: number | null
  cancelled_at: number | null
}
