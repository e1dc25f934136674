import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { describeModel } from '../../src/gguf/describe.ts'
import { inWords } from '../../src/lib/bytes.ts'
import { lines } from '../../src/lib/connections/index.ts'
import { type Pulled, pull, systemRoom } from '../../src/platform/pulling/index.ts'
import { modelsFolder, modelsOf, proxiesOf } from '../../src/wiring.ts'
import { howFast, Lines, Progress } from '../progress.ts'
import { UsageError } from '../run.ts'
import { configHere } from '../surroundings.ts'
import { version } from '../version.ts'
import { parametersInWords } from './models.ts'

/** Of a process that was ended by Ctrl+C, as shells count. */
const interruptedCode = 130

/** Fetches a model into the data folder. A running server has it within a second. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      force: { type: 'boolean', default: false },
      'data-dir': { type: 'string' },
    },
  })
  const [source, ...more] = positionals
  if (source === undefined || more.length > 0)
    throw new UsageError('Which model? `parlance pull OWNER/REPOSITORY[:FILE or quantisation]`, or an https address.')
  const config = configHere({ data_dir: values['data-dir'] })
  const dispatcher = lines(proxiesOf(config))
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const pace = new Pace()
  const progress = process.stderr.isTTY ? new Progress(elapsedMs => pace.says(elapsedMs)) : new Lines()
  try {
    const pulled = await pull({
      source,
      folder: modelsFolder(config),
      hubUrl: config.hub_url,
      force: values.force,
      dispatcher,
      room: systemRoom,
      version,
      signal: stopping.signal,
      pid: process.pid,
      wait: (ms, signal) => wait(ms, undefined, { signal }),
      note: sentence => progress.note(sentence),
      reached(haveBytes, sizeBytes) {
        pace.reached(haveBytes, sizeBytes)
        if (progress instanceof Lines) progress.reached(haveBytes, sizeBytes)
      },
      ...(values.name !== undefined && { name: values.name }),
      ...(config.hub_token !== undefined && { hubToken: config.hub_token }),
    })
    progress.end()
    process.stdout.write(summary(pulled))
    const { local, embedded, upstream } = modelsOf(config)
    if ([...local, ...embedded, ...upstream].some(({ name }) => name === pulled.name))
      process.stderr.write(
        `Another model is called ${pulled.name} in the settings, and wins. \`parlance models cp\` gives this one a second name.\n`,
      )
    return 0
  } catch (error) {
    progress.end()
    if (!stopping.signal.aborted) throw error
    process.stderr.write('Stopped. The same command goes on from here.\n')
    return interruptedCode
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    await dispatcher.destroy()
  }
}

/** How far a download is, and how fast it is in this run: what an earlier run brought does not count. */
class Pace {
  #first: { bytes: number; ms: number } | undefined
  #haveBytes = 0
  #sizeBytes: number | undefined

  reached(haveBytes: number, sizeBytes: number): void {
    if (this.#first === undefined || haveBytes < this.#first.bytes)
      this.#first = { bytes: haveBytes, ms: performance.now() }
    this.#haveBytes = haveBytes
    this.#sizeBytes = sizeBytes
  }

  says(elapsedMs: number): string {
    if (this.#first === undefined || this.#sizeBytes === undefined) return `waiting, ${Math.round(elapsedMs / 1000)} s`
    const { bytes, ms } = this.#first
    return howFast({
      done: this.#haveBytes,
      total: this.#sizeBytes,
      before: bytes,
      elapsedMs: performance.now() - ms,
    })
  }
}

function summary({ name, sizeBytes, model, verified }: Pulled): string {
  const { architecture, parameters, quantization, contextLength, hasChatTemplate } = describeModel(model)
  const facts = [
    inWords(sizeBytes),
    architecture.replaceAll(/\p{Cc}/gu, '?').slice(0, 40),
    `${parametersInWords(parameters)} parameters`,
    quantization,
    ...(contextLength === undefined ? [] : [`context ${contextLength}`]),
    ...(hasChatTemplate ? [] : ['no chat template']),
    verified ? 'checksum right' : 'no checksum to compare with',
  ]
  return `Pulled ${name} (${facts.join(', ')}).\n`
}
