import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Engine } from '../engines/engine.ts'
import { scriptedEngine } from '../engines/scripted.ts'
import { fault } from '../lib/faults.ts'
import { systemTimers } from '../lib/timers.ts'
import { operations } from '../operations/index.ts'
import { terminal } from '../platform/audit.ts'
import { makeBatches } from '../platform/batches/index.ts'
import { execute, type Services } from '../platform/execute.ts'
import type { Caller } from '../platform/keys.ts'
import { makeModels, type Target } from '../platform/models.ts'
import { priceOf } from '../platform/prices.ts'
import { testServices } from '../platform/services.fixture.ts'
import { makeQueue } from '../store/queue/index.ts'
import type { Batch } from '../wire/batches.ts'
import { makeWorker } from './worker.ts'

export const url = '/v1/embeddings'
/** A line of an input. */
export const line = (customId: string, body: object = { model: 'words', input: customId }, more: object = {}) =>
  JSON.stringify({ custom_id: customId, method: 'POST', url, body, ...more })
export const linesOf = (count: number) => Array.from({ length: count }, (_, i) => line(`c${i}`))

export interface OutputLine {
  id: string
  custom_id: string
  response: { status_code: number; request_id: string; body: { error?: { code: string | null } } } | null
  error: { code: string; message: string } | null
}

/** An engine whose embeddings can be held, counted and made to fail: an input `fail 3` fails three times. */
export function heldEngine() {
  const engine = scriptedEngine({ name: 'words', reply: 'yes it is' })
  const vectors = engine.embed!.bind(engine)
  const seen: string[] = []
  const failures = new Map<string, number>()
  let gate: PromiseWithResolvers<void> | undefined
  let running = 0
  let most = 0
  const embed: NonNullable<Engine['embed']> = async (request, call) => {
    const text = String(request.input)
    seen.push(text)
    most = Math.max(most, ++running)
    try {
      const left = new Promise<void>(resolve => call.signal.addEventListener('abort', () => resolve()))
      if (gate !== undefined) await Promise.race([gate.promise, left])
      const [, times] = /^fail (\d+)/.exec(text) ?? []
      const before = failures.get(text) ?? 0
      failures.set(text, before + 1)
      if (before < Number(times ?? 0)) throw fault.internal(new Error('as it was told'))
      if (text === 'bad') throw fault.invalidValue('input', 'It is bad.')
      return await vectors(request, call)
    } finally {
      running--
    }
  }
  return {
    ...{ seen, failures },
    most: () => most,
    engine: Object.assign(engine, { embed }),
    hold: () => {
      gate = Promise.withResolvers()
    },
    open: () => {
      gate?.resolve()
      gate = undefined
    },
  }
}

/** Everything that works batches off, over a real store; its clock stands still, its waits are real. */
export async function batchShop(more: Partial<Services> = {}) {
  const held = heldEngine()
  const target = (name: string): Target => ({
    ...{ name, ownedBy: 'test', created: 1, price: priceOf({ input: 1, output: 2 }) },
    abilities: new Set(['chat', 'complete', 'embed']),
    open: () => held.engine,
  })
  const base = await testServices(makeModels([target('words'), target('others')], {}), more)
  const { store, clock, ids, random, log } = base
  const queue = makeQueue({ store, clock, ids })
  const batches = makeBatches(
    { queue, timers: systemTimers, services: () => services },
    { operations, folder: join(base.dataDir, 'journals'), widthOf: () => 3 },
  )
  const services: Services = { ...base, batches }
  const { secret } = await base.keys.create({ name: 'batches' })
  const caller = await base.keys.find(secret)
  const start = async () => {
    const made = makeWorker(
      { queue, clock, timers: systemTimers, random, ids, log },
      { handlers: batches.handlers, alone: true, pollMs: 20 },
    )
    await made.start()
    return made
  }
  let worker = await start()

  const call = async (
    id: string,
    asked: { body?: object; params?: Record<string, string>; query?: object },
    by: Caller = caller,
  ) => {
    const operation = operations.find(one => one.id === id)!
    const reply = await execute(
      operation,
      {
        ...{ body: asked.body, params: asked.params ?? {}, query: { ...asked.query }, caller: by, from: terminal },
        ...{ bytes: 0, signal: new AbortController().signal, wants: 'values' },
      },
      services,
    )
    if (reply.kind !== 'json') throw new Error('not JSON')
    return reply.value as Batch
  }
  const upload = async (lines: readonly string[], purpose: 'batch' | 'user_data' = 'batch') => {
    const bytes = async function* () {
      for (const one of lines) yield Buffer.from(`${one}\n`)
    }
    const staged = await base.files.blobs.stage(bytes(), { bytesMax: 1e9, tooLarge: () => new Error('large') })
    return (await base.files.create(caller, staged, { filename: 'in.jsonl', purpose })).id
  }
  const create = async (lines: readonly string[], asked: object = {}) =>
    call('batches.create', {
      body: { input_file_id: await upload(lines), endpoint: url, completion_window: '24h', ...asked },
    })
  const get = (id: string) => call('batches.retrieve', { params: { batch_id: id } })
  const until = async (id: string, ...statuses: Batch['status'][]) => {
    for (;;) {
      const batch = await get(id)
      if (statuses.includes(batch.status)) return batch
      if (batch.status === 'failed') throw new Error(JSON.stringify(batch.errors))
      await turn()
    }
  }
  const read = async (fileId: string | null): Promise<OutputLine[]> => {
    if (fileId === null) return []
    const { bytes } = await base.files.open(caller, fileId)
    const parts: Uint8Array[] = []
    for await (const part of bytes) parts.push(part)
    const lines = Buffer.concat(parts).toString().trimEnd().split('\n')
    return lines.map(one => JSON.parse(one))
  }
  return {
    ...{ services: base, clock, store, queue, held, call, upload, create, get, until, read, caller },
    /** Ends the worker without a word, as far as that can be had in one process, and starts another. */
    async restart(timeoutMs = 0) {
      await worker.drain(timeoutMs)
      worker = await start()
    },
    async close() {
      held.open()
      await worker.drain(0)
      await base.close()
    },
  }
}
