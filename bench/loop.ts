/**
 * Loaded into the server under test with `--import`: watches its event loop. On SIGUSR2 it prints the longest delay since the last
 * time, as `bench-loop {"delayMs":…,"heldMs":…}` on standard error, and begins anew.
 *
 * `delayMs` is by the clock, so on a busy machine it holds the time in which the kernel ran others. `heldMs` is the part of one delay
 * in which this very thread worked: that long the loop was held by its own doing.
 */
const periodMs = 1
let delayMs = 0
let heldMs = 0
let lastMs = performance.now()
let lastCpuMs = cpuMs()

const timer = setInterval(() => {
  const nowMs = performance.now()
  const nowCpuMs = cpuMs()
  const late = nowMs - lastMs - periodMs
  delayMs = Math.max(delayMs, late)
  heldMs = Math.max(heldMs, Math.min(late, nowCpuMs - lastCpuMs))
  lastMs = nowMs
  lastCpuMs = nowCpuMs
}, periodMs)
timer.unref()

process.on('SIGUSR2', () => {
  process.stderr.write(`bench-loop ${JSON.stringify({ delayMs, heldMs })}\n`)
  delayMs = 0
  heldMs = 0
})

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

export {}
