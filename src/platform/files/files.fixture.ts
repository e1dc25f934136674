import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import type { Ids } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { manualTime } from '../../lib/timers.ts'
import { diskBlobs } from '../../store/blobs/disk.ts'
import type { Store } from '../../store/store.ts'
import { type Files, type FilesOptions, makeFiles } from './index.ts'

/** Files with their bytes in a folder, for tests. Nothing has to be closed but what is being removed. */
export function testFiles(
  { folder, ...parts }: { store: Store; clock: Clock; ids: Ids; folder: string },
  options: FilesOptions = { quotaBytes: 1_000_000_000 },
): Files {
  const blobs = diskBlobs({ folder: join(folder, 'blobs'), ids: parts.ids })
  return makeFiles({ ...parts, blobs, log: silentLog, timers: manualTime() }, options)
}
