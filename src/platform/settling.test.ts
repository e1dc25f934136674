import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Sink } from '../engines/engine.ts'
import { type Fault, fault } from '../lib/faults.ts'
import { Charge } from './charging.ts'
import { intent, worst } from './ledger/ledger.fixture.ts'
import type { Ledger, Outcome } from './ledger/types.ts'
import { makeModels } from './models.ts'
import { testServices } from './services.fixture.ts'
import { settledReply } from './settling.ts'

const services = await testServices(makeModels([], {}))
after(() => services.close())

/** A charge over a ledger that tells when it is asked to settle, and does so when it is told. */
async function charged({ strict }: { strict: boolean }) {
  const asked: Outcome['status'][] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const ledger: Ledger = {
    strict,
    reserve: () => ({
      outputMax: null,
      settle({ status }) {
        asked.push(status)
        return strict ? promise : undefined
      },
    }),
    changed: async () => {},
    settled: async () => 0,
  }
  const charge = await Charge.open(intent(worst(1, 1)), { ...services, ledger })
  return { charge, asked, resolve, reject }
}

async function relayed(
  charge: Charge,
  pieces: string[],
  { failed, signal }: { failed?: Fault; signal?: AbortSignal } = {},
) {
  const written: string[] = []
  const sink: Sink = { write: bytes => written.push(Buffer.from(bytes).toString()) > 0, drained: resume => resume() }
  const pipe = async (to: Sink) => {
    for (const piece of pieces) to.write(Buffer.from(piece))
    return failed
  }
  const reply = await settledReply({ kind: 'relay', pipe }, charge, signal ?? new AbortController().signal)
  assert.ok(reply.kind === 'relay')
  return { written, done: reply.pipe(sink) }
}

const end = 'data: [DONE]\n\n'
const turn = () => new Promise(resolve => setImmediate(resolve))

test('the end of a relayed stream waits for its row where the ledger is strict', async () => {
  const { charge, asked, resolve } = await charged({ strict: true })
  const { written, done } = await relayed(charge, ['a', 'b', end])
  await turn()
  assert.deepEqual([written, asked], [['a', 'b'], ['ok']])
  resolve()
  await done
  assert.deepEqual(written, ['a', 'b', end])
})

test('what could not be booked is not told to be done', async () => {
  const { charge, reject } = await charged({ strict: true })
  const { written, done } = await relayed(charge, ['a', end])
  reject(fault.storeFailed(new Error('disk')))
  await assert.rejects(done)
  assert.deepEqual(written, ['a'])
})

test('nothing is held back where the ledger is grouped', async () => {
  const { charge, asked } = await charged({ strict: false })
  const { written, done } = await relayed(charge, ['a', end])
  assert.deepEqual(written, ['a', end])
  await done
  assert.deepEqual(asked, ['ok'])
})

test('a stream that broke is booked as failed, and one that was left as cancelled', async () => {
  const broken = await charged({ strict: false })
  await (await relayed(broken.charge, ['a'], { failed: fault.upstreamInterrupted('m') })).done
  assert.deepEqual(broken.asked, ['failed'])
  const left = await charged({ strict: false })
  await (await relayed(left.charge, ['a'], { signal: AbortSignal.abort() })).done
  assert.deepEqual(left.asked, ['cancelled'])
})
