import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CrowdGauge, usesMax, WindowGauge } from './gauge.ts'
import { seededRandom } from './random.ts'

const windowMs = 60_000

interface Use {
  atMs: number
  amount: number
}

/** What must not be more than the limit: the largest sum that any span of a window holds. */
function largestSum(uses: readonly Use[]): number {
  let largest = 0
  let sum = 0
  let first = 0
  for (const use of uses) {
    sum += use.amount
    while (uses[first]!.atMs <= use.atMs - windowMs) sum -= uses[first++]!.amount
    largest = Math.max(largest, sum)
  }
  return largest
}

/** Sends one request after the other; each is let in when it fits. */
function offer(most: number, requests: Iterable<Use>) {
  const gauge = new WindowGauge(windowMs)
  const admitted: Use[] = []
  const refused: Use[] = []
  for (const use of requests) {
    const fits = gauge.used(use.atMs) + use.amount <= most
    if (fits) gauge.take(use.atMs, use.amount)
    ;(fits ? admitted : refused).push(use)
  }
  return { gauge, admitted, refused }
}

/** Exactly how many fit, by a list of all uses. */
function exactly(most: number, requests: Iterable<Use>): Use[] {
  const admitted: Use[] = []
  let first = 0
  let sum = 0
  for (const use of requests) {
    while (first < admitted.length && admitted[first]!.atMs <= use.atMs - windowMs) sum -= admitted[first++]!.amount
    if (sum + use.amount > most) continue
    admitted.push(use)
    sum += use.amount
  }
  return admitted
}

/** Arrivals with gaps up to so much; bursts, silences and equal times among them. */
function arrivals(seed: number, count: number, { gapMs, amountMax }: { gapMs: number; amountMax: number }): Use[] {
  const random = seededRandom(seed)
  const upTo = (most: number) => random.uint32() % (most + 1)
  let atMs = upTo(1_000_000)
  return Array.from({ length: count }, () => {
    const kind = upTo(9)
    atMs += kind < 3 ? 0 : kind === 9 ? upTo(gapMs * 20) : upTo(gapMs) + upTo(999) / 1000
    return { atMs, amount: 1 + upTo(amountMax - 1) }
  })
}

test('whatever comes, a window lets in exactly what a list of all uses would', () => {
  for (let seed = 0; seed < 200; seed++) {
    const most = 1 + (seed % 40) * 25
    const requests = arrivals(seed, 3000, { gapMs: 1 + (seed % 7) * 60, amountMax: seed % 3 === 0 ? 1 : 20 })
    const { admitted } = offer(most, requests)
    assert.ok(largestSum(admitted) <= most, `seed ${seed}`)
    assert.deepEqual(admitted, exactly(most, requests), `seed ${seed}`)
  }
})

test('no window holds more than the limit when more uses are remembered than there is room for, and little is lost', () => {
  for (let seed = 0; seed < 12; seed++) {
    const most = 5000 + seed * 1000
    const requests = arrivals(seed, 150_000, { gapMs: 4, amountMax: 3 })
    const { admitted, refused } = offer(most, requests)
    assert.ok(refused.length > 10_000, 'the demand is more than the limit')
    assert.ok(largestSum(admitted) <= most, `seed ${seed}`)
    const sum = (uses: readonly Use[]) => uses.reduce((total, { amount }) => total + amount, 0)
    const lost = 1 - sum(admitted) / sum(exactly(most, requests))
    assert.ok(lost < 1 / 200, `seed ${seed} lost ${lost}`)
  }
})

for (const [most, everyMs] of [
  [1, 10],
  [60, 1],
  [600, 10],
  [1000, 50],
  [3500, 5],
  [10_000, 1],
] as const)
  test(`under more demand than it serves, a limit of ${most} lets exactly so many into each of 100 minutes`, () => {
    const minutes = 100
    const counts = new Array<number>(minutes).fill(0)
    const gauge = new WindowGauge(windowMs)
    for (let atMs = 0; atMs < minutes * windowMs; atMs += everyMs)
      for (let together = 0; together < 2 && gauge.used(atMs) < most; together++) {
        gauge.take(atMs, 1)
        counts[Math.floor(atMs / windowMs)]!++
      }
    assert.deepEqual(counts, new Array(minutes).fill(most))
  })

test('what was used comes back when it is a window old, not all at once and not twice', () => {
  const gauge = new WindowGauge(windowMs)
  gauge.take(59_900, 5)
  gauge.take(60_100, 5)
  assert.deepEqual(
    [60_100, 119_899, 119_900, 120_099, 120_100].map(atMs => gauge.used(atMs)),
    [10, 10, 5, 5, 0],
  )
})

test('waiting as long as it says is long enough, and nothing shorter is', () => {
  const { gauge, refused } = offer(100, arrivals(5, 2000, { gapMs: 300, amountMax: 30 }))
  const { atMs, amount } = refused.at(-1)!
  const waitMs = gauge.waitMs(atMs, gauge.used(atMs) + amount - 100)
  assert.ok(waitMs > 0.01)
  assert.ok(gauge.used(atMs + waitMs - 0.01) + amount > 100)
  assert.ok(gauge.used(atMs + waitMs) + amount <= 100)
})

test('everything is back after the time that it tells', () => {
  const gauge = new WindowGauge(windowMs)
  assert.equal(gauge.resetMs(0), 0)
  gauge.take(0, 3)
  gauge.take(1000, 4)
  assert.equal(gauge.resetMs(5000), 56_000)
  gauge.settle(1000, 5000, 4, 0) // the last use was none
  assert.equal(gauge.resetMs(5000), 55_000)
  assert.equal(gauge.used(60_000), 0)
})

test('what was estimated becomes what was used: less at once, more from then on', () => {
  const gauge = new WindowGauge(windowMs)
  gauge.take(0, 100)
  gauge.take(0, 50)
  gauge.take(10, 7)
  gauge.settle(0, 20_000, 100, 30)
  assert.equal(gauge.used(20_000), 87)
  gauge.settle(10, 30_000, 7, 9)
  assert.equal(gauge.used(30_000), 89)
  assert.equal(gauge.used(60_010), 2, 'what came on top counts from the moment it was known')
  assert.equal(gauge.used(90_000), 0)
})

test('a request that ends after its window is corrected no more', () => {
  const gauge = new WindowGauge(windowMs)
  gauge.take(0, 100)
  gauge.take(50_000, 10)
  gauge.settle(0, 70_000, 100, 1)
  assert.equal(gauge.used(70_000), 10)
})

test('corrections at random leave what was really used, and never less', () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = seededRandom(seed)
    const gauge = new WindowGauge(windowMs)
    const running: (Use & { used: number })[] = []
    let real: Use[] = []
    for (const use of arrivals(seed, seed % 2 === 0 ? 500 : 8000, { gapMs: seed % 2 === 0 ? 400 : 3, amountMax: 50 })) {
      gauge.used(use.atMs)
      gauge.take(use.atMs, use.amount)
      running.push({ ...use, used: random.uint32() % (use.amount + 1) })
      if (random.uint32() % 3 > 0) continue
      const [ended] = running.splice(random.uint32() % running.length, 1)
      gauge.settle(ended!.atMs, use.atMs, ended!.amount, ended!.used)
      real.push({ atMs: ended!.atMs, amount: ended!.used })
      if (random.uint32() % 20 > 0) continue
      real = real.filter(({ atMs }) => atMs > use.atMs - windowMs)
      const counted = [...real, ...running.filter(({ atMs }) => atMs > use.atMs - windowMs)]
      const sum = counted.reduce((total, { amount }) => total + amount, 0)
      const isExact = seed % 2 === 0
      const used = gauge.used(use.atMs)
      assert.ok(isExact ? used === sum : used >= sum, `seed ${seed}: ${used} ${sum}`)
    }
  }
})

test('memory is bounded: a thousand uses are remembered, however many there are', () => {
  const gauge = new WindowGauge(windowMs)
  for (let use = 0; use < 20 * usesMax; use++) gauge.take(use, 1)
  assert.equal(gauge.used(20 * usesMax), 20 * usesMax, 'none was forgotten')
  assert.equal(gauge.used(20 * usesMax + windowMs), 0)
})

test('what only comes on top, request after request, is forgotten in time as well', () => {
  const gauge = new WindowGauge(windowMs)
  for (let atMs = 0; atMs < 4 * usesMax * 1000; atMs += 1000) gauge.settle(atMs, atMs, 0, 1)
  assert.equal(gauge.used(4 * usesMax * 1000), windowMs / 1000 - 1)
})

test('a crowd is who has come and not gone', () => {
  const gauge = new CrowdGauge()
  gauge.take(0, 1)
  gauge.take(0, 1)
  gauge.settle(0, 1, 1)
  assert.deepEqual([gauge.used(), gauge.waitMs(), gauge.resetMs()], [1, 1000, 1000])
  gauge.settle(0, 1, 1)
  assert.deepEqual([gauge.used(), gauge.resetMs()], [0, 0])
})
