import { isRecord } from '../../wire/walk.ts'
import { isModelName, isSplit } from '../folder.ts'

/** What the operator asked for: a repository of the hub, with or without a wish for one of its files, or an address. */
export type Source =
  | { kind: 'repository'; owner: string; repository: string; wish: string | undefined }
  | { kind: 'address'; url: URL }

/** A GGUF file of a repository, as the hub describes it. */
export interface HubFile {
  /** Within the repository; checked, so that it can stand in a URL. It never becomes a path here. */
  readonly path: string
  readonly sizeBytes: number | undefined
  /** In hex. */
  readonly sha256: string | undefined
}

const repositoryForm = /^([A-Za-z0-9][\w.-]{0,95})\/([A-Za-z0-9][\w.-]{0,95})(?::(.{1,300}))?$/
const filesMax = 10_000
const shownMax = 20

/** @throws Error that says what can be given */
export function parseSource(text: string, hub: URL): Source {
  if (/^https?:\/\//i.test(text)) return { kind: 'address', url: addressOf(text, hub) }
  const [, owner, repository, wish] = repositoryForm.exec(text) ?? []
  if (owner === undefined || repository === undefined || text.includes('..'))
    throw new Error(
      `'${printable(text)}' is neither OWNER/REPOSITORY[:FILE or quantisation] of the hub nor an https address of a GGUF file.`,
    )
  return { kind: 'repository', owner, repository, wish }
}

function addressOf(text: string, hub: URL): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new Error(`'${printable(text)}' is no address.`)
  if (url.username !== '' || url.password !== '')
    throw new Error('An address with a name and password is not accepted.')
  if (url.protocol === 'http:' && !isLoopback(url) && url.origin !== hub.origin)
    throw new Error('Models are pulled over https: what comes over http could be changed on its way.')
  url.hash = ''
  // The page about a file is what people copy; the file lies beside it.
  if (url.origin === hub.origin) url.pathname = url.pathname.replace(/^((?:\/[^/]+){2})\/blob\//, '$1/resolve/')
  return url
}

/** This machine itself, where plain http is safe. */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)

/** What the hub says of a repository: its commit and its GGUF files. Whatever does not have the expected form is left out. */
export function filesOf(description: unknown): { revision: string; files: HubFile[] } {
  const { sha, siblings } = isRecord(description) ? description : {}
  const revision = typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha) ? sha : 'main'
  const files = (Array.isArray(siblings) ? siblings.slice(0, filesMax) : []).flatMap((entry: unknown): HubFile[] => {
    if (!isRecord(entry) || typeof entry.rfilename !== 'string' || !isSafePath(entry.rfilename)) return []
    const lfs = isRecord(entry.lfs) ? entry.lfs : {}
    return [{ path: entry.rfilename, sizeBytes: sizeOf(lfs.size) ?? sizeOf(entry.size), sha256: sha256Of(lfs.sha256) }]
  })
  return { revision, files }
}

const isSafePath = (path: string) =>
  path.length <= 1000 &&
  /\.gguf$/i.test(path) &&
  !/[\p{Cc}\\]/u.test(path) &&
  path.split('/').every(step => step !== '' && step !== '.' && step !== '..')

const sizeOf = (value: unknown) => (Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined)

/** A SHA-256 in hex, if it is one; quotes of an ETag are taken off. */
export function sha256Of(value: unknown): string | undefined {
  return typeof value === 'string' ? /^"?([0-9a-f]{64})"?$/.exec(value)?.[1] : undefined
}

/** Tried in this order when no file was asked for: small and nearly as good first, then what is larger or worse. */
const usualQuantizations = ['Q4_K_M', 'Q4_K_S', 'Q5_K_M', 'Q4_0', 'Q8_0', 'Q6_K', 'F16', 'BF16']

/** The file that is meant. @throws Error with what there is */
export function chooseFile(files: readonly HubFile[], wish: string | undefined, where: string): HubFile {
  const models = files.filter(({ path }) => !/(?:^|\/|[-._])mmproj[^/]*$/i.test(path))
  if (wish === undefined) {
    const whole = models.filter(({ path }) => !isSplit(path))
    if (whole.length === 1) return whole[0]!
    for (const quantization of usualQuantizations) {
      const [file, ...more] = whole.filter(({ path }) => isQuantization(path, quantization))
      if (file !== undefined && more.length === 0) return file
    }
    throw new Error(
      models.length === 0
        ? `${where} holds no GGUF file.`
        : `${where} holds several models: choose one with ${where}:FILE. ${listed(models)}`,
    )
  }
  const exact = files.filter(({ path }) => path === wish || lastStep(path) === wish)
  const meant = exact.length > 0 ? exact : models.filter(({ path }) => isQuantization(path, wish))
  if (meant.length === 0) throw new Error(`${where} holds no '${printable(wish)}'. ${listed(files)}`)
  const split = meant.find(({ path }) => isSplit(path))
  if (split !== undefined)
    throw new Error(
      `${printable(split.path)} is one part of a model in several files, which are not supported. ${listed(files)}`,
    )
  if (meant.length > 1) throw new Error(`'${printable(wish)}' could be one of several. ${listed(meant)}`)
  return meant[0]!
}

/** Whether a file's name says this quantisation, as a word of its own. */
function isQuantization(path: string, quantization: string): boolean {
  const name = lastStep(path).toLowerCase()
  const at = name.lastIndexOf(quantization.toLowerCase())
  const next = name[at + quantization.length] ?? ''
  return at >= 0 && (at === 0 || /[-._]/.test(name[at - 1]!)) && /[-.]/.test(next)
}

/** The file's own name. */
export const lastStep = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

function listed(files: readonly HubFile[]): string {
  const names = files.map(({ path, sizeBytes }) =>
    sizeBytes === undefined ? printable(path) : `${printable(path)} (${(sizeBytes / 1e9).toFixed(1)} GB)`,
  )
  const more = names.length > shownMax ? ` and ${names.length - shownMax} more` : ''
  return names.length === 0 ? 'It holds no GGUF file.' : `There are: ${names.slice(0, shownMax).join(', ')}${more}.`
}

/**
 * The name of a model from the name of its file: data from outside, of which only harmless characters are kept.
 * @throws Error when nothing usable is left
 */
export function nameFor(path: string): string {
  const name = lastStep(path)
    .replace(/\.gguf$/i, '')
    .replaceAll(/[^A-Za-z0-9._+-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128)
  if (!isModelName(name))
    throw new Error(`'${printable(path)}' gives the model no usable name: choose one with --name.`)
  return name
}

/** Text from outside, fit for a terminal. */
export const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
