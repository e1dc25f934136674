import type { BatchRow } from '../../platform/batches/index.ts'
import type { Batch } from '../../wire/batches.ts'

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000))

/** A batch as clients see it. */
export const shownBatch = (row: BatchRow): Batch => ({
  id: row.id,
  object: 'batch',
  endpoint: row.endpoint,
  ...(row.model !== null && { model: row.model }),
  errors: row.errors === null ? null : { object: 'list', data: JSON.parse(row.errors) },
  input_file_id: row.input_file_id,
  completion_window: '24h',
  status: row.status,
  output_file_id: row.output_file_id,
  error_file_id: row.error_file_id,
  created_at: Math.floor(row.created_at / 1000),
  in_progress_at: seconds(row.in_progress_at),
  expires_at: seconds(row.expires_at),
  finalizing_at: seconds(row.finalizing_at),
  completed_at: seconds(row.completed_at),
  failed_at: seconds(row.failed_at),
  expired_at: seconds(row.expired_at),
  cancelling_at: seconds(row.cancelling_at),
  cancelled_at: seconds(row.cancelled_at),
  request_counts: { total: row.total, completed: row.completed, failed: row.failed },
  usage: {
    input_tokens: row.input_tokens,
    input_tokens_details: { cached_tokens: row.cached_tokens },
    output_tokens: row.output_tokens,
    output_tokens_details: { reasoning_tokens: row.reasoning_tokens },
    total_tokens: row.input_tokens + row.output_tokens,
  },
  metadata: row.metadata === null ? null : JSON.parse(row.metadata),
})
