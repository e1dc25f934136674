import { constants } from 'node:fs'
import { copyFile, link, rename, rm, stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Config } from '../../src/config.ts'
import { checkGguf } from '../../src/gguf/check.ts'
import { type Description, describeModel } from '../../src/gguf/describe.ts'
import { inWords } from '../../src/lib/bytes.ts'
import { builtIn } from '../../src/platform/catalogue.ts'
import { type FoundFile, isModelName, modelPath, modelsIn } from '../../src/platform/folder.ts'
import { modelsFolder, modelsOf } from '../../src/wiring.ts'
import { UsageError } from '../run.ts'
import { configHere } from '../surroundings.ts'
import { table } from '../table.ts'

/** Shows the models and keeps order in the data folder, also beside a running server, which notices within a second. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { 'data-dir': { type: 'string' } },
  })
  const [verb = 'list', name, next, ...more] = positionals
  const config = configHere({ data_dir: values['data-dir'] })
  const wanted = { list: 0, show: 1, rm: 1, cp: 2 }[verb]
  if (wanted === undefined) throw new UsageError(`There is no \`models ${verb}\`: use list, show, rm or cp.`)
  if ([name, next, ...more].filter(word => word !== undefined).length !== wanted)
    throw new UsageError(`Use it so: \`parlance models ${verb}${[' NAME', ' NEW'].slice(0, wanted).join('')}\`.`)
  if (verb === 'list') await list(config)
  else if (verb === 'show') await show(config, name!)
  else if (verb === 'rm') await remove(config, name!)
  else await copy(config, name!, next!)
  return 0
}

type Place = 'built in' | 'settings' | 'data folder'

interface Line {
  name: string
  place: Place | `upstream ${string}`
  /** Of a model that runs here. */
  file: string | undefined
}

/** Every model once; what the settings name wins. */
function everyModel(config: Config): Line[] {
  const { local, embedded, upstream } = modelsOf(config)
  const names: string[] = Object.values(builtIn)
  const place = (name: string) => (names.includes(name) && !(name in config.models) ? 'built in' : 'settings')
  const fixed: Line[] = [
    ...[...local, ...embedded].map(({ name, file }) => ({ name, place: place(name), file }) as const),
    ...upstream.map(({ name, upstream: server }) => ({ name, place: `upstream ${server}`, file: undefined }) as const),
  ]
  const found = modelsIn(modelsFolder(config)).filter(({ name }) => !fixed.some(line => line.name === name))
  return [...fixed, ...found.map(({ name, file }) => ({ name, place: 'data folder', file }) as const)]
}

async function list(config: Config): Promise<void> {
  const rows = await Promise.all(
    everyModel(config).map(async ({ name, place, file }) => {
      if (file === undefined) return [name, '', '', '', '', place]
      const { sizeBytes, description } = await read(file)
      const size = sizeBytes === undefined ? '' : inWords(sizeBytes)
      if (typeof description === 'string') return [name, size, description, '', '', place]
      const { architecture, contextLength, quantization } = description
      return [name, size, printable(architecture), `${contextLength ?? ''}`, quantization, place]
    }),
  )
  process.stdout.write(table([['NAME', 'SIZE', 'ARCHITECTURE', 'CONTEXT', 'QUANTISATION', 'FROM'], ...rows]))
}

/** What a file says; a sentence for one that cannot be read as GGUF. */
async function read(file: string): Promise<{ sizeBytes: number | undefined; description: Description | string }> {
  const sizeBytes = await stat(file).then(
    ({ size }) => size,
    () => undefined,
  )
  if (sizeBytes === undefined) return { sizeBytes, description: 'no such file' }
  if (file.endsWith('.bin')) return { sizeBytes, description: 'vectors' }
  try {
    return { sizeBytes, description: describeModel(await checkGguf(file)) }
  } catch (error) {
    if (error instanceof Error) return { sizeBytes, description: 'unusable' }
    throw error
  }
}

async function show(config: Config, name: string): Promise<void> {
  const line = everyModel(config).find(candidate => candidate.name === name)
  if (line === undefined) throw missing(name)
  const rows: [string, string | number | undefined][] = [
    ['name', name],
    ['from', line.place],
  ]
  if (line.file !== undefined) {
    rows.push(['file', line.file], ['size', inWords((await stat(line.file)).size)])
    if (!line.file.endsWith('.bin')) rows.push(...about(describeModel(await checkGguf(line.file))))
  }
  const aliases = Object.entries(config.aliases).filter(([, target]) => target === name)
  rows.push(['aliases', aliases.length === 0 ? undefined : aliases.map(([alias]) => alias).join(', ')])
  process.stdout.write(
    table(rows.flatMap(([what, value]) => (value === undefined ? [] : [[what, printable(String(value))]]))),
  )
}

function about(description: Description): [string, string | number | undefined][] {
  return [
    ['title', description.title],
    ['architecture', description.architecture],
    ['parameters', parametersInWords(description.parameters)],
    ['quantisation', description.quantization],
    ['context', description.contextLength],
    ['width', description.embeddingLength],
    ['layers', description.layers],
    ['vocabulary', description.vocabularySize],
    ['chat template', description.hasChatTemplate ? 'yes' : 'no: it completes texts, but cannot chat'],
    ['licence', description.license],
  ]
}

/** `7.6 B`, `494 M`, `1234`. */
export function parametersInWords(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} B`
  return count >= 1e6 ? `${Math.round(count / 1e6)} M` : String(count)
}

async function remove(config: Config, name: string): Promise<void> {
  if (await removeParts(config, name)) {
    process.stdout.write(`Removed what was pulled of ${name} so far.\n`)
    return
  }
  const { file } = ofFolder(config, name)
  const [alias] = Object.entries(config.aliases).find(([, target]) => target === name) ?? []
  if (alias !== undefined && !(name in config.models))
    throw new UsageError(`The alias '${alias}' of the settings leads to ${name}: change it first.`)
  await rm(file)
  process.stdout.write(`Removed ${name}. A running server notices within a second.\n`)
}

/** What a stopped pull has left. @returns whether there was such a thing */
async function removeParts(config: Config, name: string): Promise<boolean> {
  if (!isModelName(name)) return false
  const part = `${modelPath(modelsFolder(config), name)}.part`
  try {
    await rm(part)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
  await rm(`${part}.json`, { force: true })
  return true
}

/** A second name for the same file, where the file system can; what a model's file holds is never changed in place. */
async function copy(config: Config, name: string, next: string): Promise<void> {
  const from = ofFolder(config, name)
  if (everyModel(config).some(line => line.name === next)) throw new UsageError(`There is a model '${next}' already.`)
  const to = modelPath(modelsFolder(config), next)
  try {
    await link(from.file, to)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!['EPERM', 'EXDEV', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(code)) throw error
    await copyFile(from.file, `${to}.part`, constants.COPYFILE_FICLONE)
    await rename(`${to}.part`, to)
  }
  process.stdout.write(`${next} is another name of ${name}. A running server notices within a second.\n`)
}

/** A model that may be changed. @throws UsageError that says why another may not */
function ofFolder(config: Config, name: string): FoundFile {
  const found = modelsIn(modelsFolder(config)).find(candidate => candidate.name === name)
  if (found !== undefined) return found
  const line = everyModel(config).find(candidate => candidate.name === name)
  if (line !== undefined) throw new UsageError(`${name} is not in the data folder (${line.place}): it stays as it is.`)
  if (name in config.aliases)
    throw new UsageError(`${name} is an alias of ${config.aliases[name]}, set in the settings.`)
  throw missing(name)
}

const missing = (name: string) =>
  new UsageError(`There is no model '${printable(name)}'. \`parlance models list\` shows what there is.`)

/** Text of a file, fit for a terminal. */
const printable = (text: string) => text.replaceAll(/\p{Cc}/gu, '?').slice(0, 300)
