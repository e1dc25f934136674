import { access, constants, mkdir } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import type { Config } from '../../src/config.ts'
import { checkGguf } from '../../src/gguf/check.ts'
import { inWords } from '../../src/lib/bytes.ts'
import { silentLog } from '../../src/lib/log.ts'
import { builtIn } from '../../src/platform/catalogue.ts'
import { modelsIn } from '../../src/platform/folder.ts'
import type { Target } from '../../src/platform/models.ts'
import { modelBudgetBytes, modelsFolder } from '../../src/wiring.ts'
import { configHere, openHere } from '../surroundings.ts'
import { version } from '../version.ts'

interface Finding {
  state: 'ok' | 'note' | 'wrong'
  what: string
  says: string
}

/** Looks at everything a start depends on and says what to do about each thing that is wrong. Exit code 1 when something is. */
export async function run(): Promise<number> {
  const findings: Finding[] = []
  const report = (state: Finding['state'], what: string, says: string) => {
    findings.push({ state, what, says })
    const sign = { ok: 'ok   ', note: 'note ', wrong: 'WRONG' }[state]
    process.stdout.write(`${sign}  ${what.padEnd(14)} ${says}\n`)
  }
  const attempt = async (what: string, look: () => Promise<string>) => {
    try {
      report('ok', what, await look())
      return true
    } catch (error) {
      report('wrong', what, error instanceof Error ? error.message : String(error))
      return false
    }
  }

  report('ok', 'parlance', version)
  const enough = Number(process.versions.node.split('.')[0]) >= 24
  report(enough ? 'ok' : 'wrong', 'node', `${process.version}${enough ? '' : ': Parlance needs Node 24 or newer'}`)
  report(
    'ok',
    'machine',
    `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${process.platform} ${process.arch}`,
  )
  report('note', 'gpu', await gpuAdvice())
  const config = await settings(attempt)
  if (config !== undefined) {
    await attempt('data folder', () => dataFolder(config))
    report('ok', 'model memory', modelMemory(config))
    await everyModel(config, attempt)
  }
  return findings.some(finding => finding.state === 'wrong') ? 1 : 0
}

type Attempt = (what: string, look: () => Promise<string>) => Promise<boolean>

async function settings(attempt: Attempt): Promise<Config | undefined> {
  let config: Config | undefined
  await attempt('settings', async () => {
    config = configHere()
    return config.file ?? 'no parlance.yaml: defaults and environment only'
  })
  return config
}

async function dataFolder({ data_dir }: Config): Promise<string> {
  await mkdir(data_dir, { recursive: true })
  await access(data_dir, constants.R_OK | constants.W_OK)
  return data_dir
}

function modelMemory(config: Config): string {
  const whose = config.model_memory_bytes === undefined ? 'the default' : 'the setting `model_memory_bytes`'
  const idle = config.model_idle_ms === 0 ? 'for ever' : `${config.model_idle_ms / 1000} s`
  return `local models take up to ${inWords(modelBudgetBytes(config))} together (${whose}), and stay ${idle} without requests`
}

/** Opens the store and asks every model for one token: what a first request would meet. */
async function everyModel(config: Config, attempt: Attempt): Promise<void> {
  for (const [name, model] of Object.entries(config.models))
    if ('file' in model)
      await attempt(name, async () => {
        await checkGguf(model.file)
        if (model.adapter === undefined) return model.file
        await checkGguf(model.adapter)
        return `${model.file} with ${model.adapter}`
      })
  for (const { name, file } of modelsIn(modelsFolder(config)))
    await attempt(name, async () => {
      await checkGguf(file)
      return file
    })
  await attempt('store', async () => {
    const parlance = await openHere(config, { log: silentLog })
    try {
      const keys = await parlance.keys.list()
      const targets = parlance.services.models.list().filter(({ name, target }) => name === target.name)
      return `opens; ${keys.filter(key => key.revokedAt === null).length} active keys; ${targets.length} models: ${names(targets.map(line => line.target))}`
    } finally {
      await parlance.close()
    }
  })
}

const names = (targets: Target[]) =>
  targets.map(target => (target.name === builtIn.chat ? `${target.name} (built in)` : target.name)).join(', ')

/** The GPU builds of llama.cpp are left out of the installation because they weigh 640 MB. */
async function gpuAdvice(): Promise<string> {
  const present = async (path: string) =>
    access(path).then(
      () => true,
      () => false,
    )
  if (process.platform === 'darwin') return 'Metal is part of the installation.'
  if (await present('/dev/nvidiactl'))
    return 'an NVIDIA driver is here. For llama.cpp on it: npm install --no-save @node-llama-cpp/linux-x64-cuda@3.21.1'
  if (await present('/dev/dri/renderD128'))
    return 'a GPU is here. For llama.cpp on it: npm install --no-save @node-llama-cpp/linux-x64-vulkan@3.21.1'
  return 'none found; models run on the processor.'
}
