import { smallModelSettings } from '../test/support/models.ts'
import { startProduct } from '../test/support/product.ts'
import { encode, openWire } from '../test/support/socket.ts'
import { bad } from '../test/wire/table.ts'

/** How long does a bad request wait for its refusal? Median and worst of each kind, on one kept connection, after one round to warm up. */
const rounds = 25

await using product = await startProduct({ yaml: await smallModelSettings() })
using wire = await openWire(product.port)
const waits = new Map<string, number[]>(bad.map(({ name }) => [name, []]))
for (let round = 0; round <= rounds; round++)
  for (const { name, request } of bad) {
    const bytes = encode({ ...request, headers: { authorization: `Bearer ${product.key}`, ...request.headers } })
    const started = performance.now()
    wire.write(bytes)
    await wire.reply()
    if (round > 0) waits.get(name)!.push(performance.now() - started)
  }
await product.stop()

const rows = [...waits].map(([name, times]) => {
  times.sort((a, b) => a - b)
  return { name, median: times[Math.floor(times.length / 2)]!, worst: times.at(-1)! }
})
rows.sort((a, b) => b.median - a.median)
console.log('| bad request | median ms | worst ms |\n|---|---|---|')
for (const { name, median, worst } of rows) console.log(`| ${name} | ${median.toFixed(2)} | ${worst.toFixed(2)} |`)
