import type { Report, Result } from '../../platform/reports/report.ts'

/** A report as clients see it. */
export const page = (report: Report, toResult: (result: Result) => object) => ({
  object: 'page' as const,
  data: report.buckets.map(({ startTime, endTime, results }) => ({
    object: 'bucket' as const,
    start_time: startTime,
    end_time: endTime,
    results: results.map(toResult),
  })),
  has_more: report.nextPage !== null,
  next_page: report.nextPage,
})
