/** How long something that takes no time may take on a machine where other tests run, in milliseconds; what it takes in truth is measured apart. */
export const busyMs = 1000

/** Measures how long a thread is held: processor time between two turns of the event loop, so that a busy machine does not count. */
export function watchTurns(): { heldMillisMax(): number } {
  let last = cpuMillis()
  let longest = 0
  let watching = true
  const turn = () => {
    const now = cpuMillis()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    heldMillisMax() {
      watching = false
      turn()
      return longest
    },
  }
}

function cpuMillis(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
