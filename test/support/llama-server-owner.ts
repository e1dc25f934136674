/** A process that owns a llama-server and tells its process id, so that a test can kill the one and look for the other. */
import { llamaServerEngine } from '../../src/engines/llama-server/index.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'

const [binary = '', file = ''] = process.argv.slice(2)
const engine = llamaServerEngine({
  name: 'm',
  binary,
  file,
  threads: 1,
  version: '0.0.0',
  clock: systemClock,
  log: silentLog,
})
await engine.resident.load()
if (engine.pid === undefined) throw new Error('There is no server.')
process.send?.(engine.pid)
