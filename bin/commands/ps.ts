import { parseArgs } from 'node:util'
import { inWords } from '../../src/lib/bytes.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type LoadedModel, LoadedModelList } from '../../src/wire/models.ts'
import { askServer } from '../running.ts'
import { configHere } from '../surroundings.ts'
import { table } from '../table.ts'

/** Which models of this machine are in memory: asks the server that runs on the data folder. */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean', default: false }, 'data-dir': { type: 'string' } },
  })
  const config = configHere({ data_dir: values['data-dir'] })
  const list = await askServer(config, { method: 'GET', path: '/v1/parlance/models/loaded', reply: LoadedModelList })
  const models = list?.data ?? []
  if (values.json) process.stdout.write(`${JSON.stringify(models, undefined, 2)}\n`)
  else process.stdout.write(shown(models, systemClock.now()))
  if (list === undefined) process.stderr.write(`No server runs on the data folder ${config.data_dir}.\n`)
  else if (!values.json)
    process.stderr.write(`${inWords(list.used_bytes)} of ${inWords(list.memory_bytes)} for models are in use.\n`)
  return 0
}

/** @param nowMs milliseconds since the Unix epoch */
export function shown(models: readonly LoadedModel[], nowMs: number): string {
  const rows = models.map(model => [
    model.id,
    model.state,
    model.size_bytes === 0 ? '' : inWords(model.size_bytes),
    model.loaded_at === null ? '' : `${duration(nowMs / 1000 - model.loaded_at)} ago`,
    model.state === 'ready' ? until(model, nowMs) : '',
    String(model.running),
    String(model.queued),
  ])
  return table([['NAME', 'STATE', 'SIZE', 'LOADED', 'UNTIL', 'RUNNING', 'QUEUED'], ...rows])
}

function until({ expires_at, running }: LoadedModel, nowMs: number): string {
  if (running > 0) return 'busy'
  return expires_at === null ? 'for ever' : `in ${duration(expires_at - nowMs / 1000)}`
}

/** `3 s`, `12 min`, `5 h`, `2 d`: rounded down. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min`
  return whole < 86_400 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} d`
}
