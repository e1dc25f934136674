/** Work that outlives a request and a process. Times are unix milliseconds. */

export type JobStatus = 'waiting' | 'running' | 'done' | 'dead' | 'cancelled'

export interface JobsTable {
  id: string
  /** Which handler runs it. */
  kind: string
  /** What it is about, such as the id of a batch. */
  subject: string | null
  /** `kind:subject` while it is open, so that there is one at most; null for jobs without a subject and when it has ended. */
  open_key: string | null
  /** Whose it is; null: the server's own. */
  organization_id: string | null
  /** JSON. */
  payload: string
  /** The higher, the earlier. */
  priority: number
  status: JobStatus
  /** When it can be claimed: for one that waits the time to run it, for one that runs the end of the lease. */
  due_at: number
  /** Times it was claimed without having come further since. */
  attempts: number
  attempts_max: number
  /** Whoever runs it, anew for each claim; null while nobody does. */
  lease: string | null
  /** How many times it was claimed. Whoever writes with an older number has lost it. */
  fence: number
  /** When somebody asked for its end; null: nobody did. */
  cancel_at: number | null
  /** It is run again and again, that far apart; null: once. */
  every_ms: number | null
  /** Of the last attempt that failed. */
  error: string | null
  created_at: number
  ended_at: number | null
}

/** What has become of jobs; rows are added, and go with their job. */
export interface JobEventsTable {
  job_id: string
  /** 1, 2, 3 … of its job. */
  number: number
  created_at: number
  event: 'enqueued' | 'claimed' | 'retried' | 'released' | 'cancel_asked' | 'done' | 'dead' | 'cancelled'
  fence: number
  /** Of an error, or what is told of it. */
  detail: string | null
}
