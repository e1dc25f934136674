import { readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { describe, type Log } from '../lib/log.ts'

/** A GGUF file of the data folder. The same object as long as the file stays the same. */
export interface FoundFile {
  /** The file's name without `.gguf`. */
  readonly name: string
  readonly file: string
  readonly sizeBytes: number
  /** Unix seconds, from the file's date. */
  readonly created: number
  /** Another one means: another file. */
  readonly version: string
}

/** The models that lie in one folder, as they come and go. */
export interface ModelFolder {
  /** As of at most a second ago. The same map as long as nothing has changed. */
  current(): ReadonlyMap<string, FoundFile>
  /** Hides the file at once, then removes it after `first` is done. @throws what `first` or the file system throws; it is there again then */
  remove(file: FoundFile, first: () => Promise<void>): Promise<void>
}

const extension = '.gguf'
/** What a model of the folder can be called: it stands in a file name, a URL and a terminal. */
const safeName = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/
/** One file of a model that was split: alone it is no model. */
const splitPart = /-\d{5}-of-\d{5}$/i
const lookEveryMs = 1000
const filesMax = 1000
/** A folder that has changed this recently may change again without a new date: file systems count time in steps. */
const settledMs = 2000

/** Whether a model of the data folder can have this name. */
export const isModelName = (name: string): boolean => safeName.test(name) && !splitPart.test(name)

/** Whether this names one file of a model in several; `name` with or without `.gguf`. */
export const isSplit = (name: string): boolean => splitPart.test(name.replace(/\.gguf$/i, ''))

/** Where a model of that name lies. @throws Error for a name that could lead elsewhere */
export function modelPath(folder: string, name: string): string {
  if (!isModelName(name))
    throw new Error(
      `'${name.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)}' cannot be the name of a model: use up to 128 letters, digits, '.', '_', '+' and '-', beginning with a letter or digit.`,
    )
  return join(folder, name + extension)
}

/**
 * Looks at a folder at most once a second, and reads it only when its date says that it has changed; without a watcher, so that it
 * works on any file system. A folder that is not there holds no models.
 */
export function modelFolder({ folder, clock, log }: { folder: string; clock: Clock; log: Log }): ModelFolder {
  let files: ReadonlyMap<string, FoundFile> = new Map()
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let seenDateMs: number | undefined
  let settled = false
  const hidden = new Set<string>()
  const lookAgain = () => {
    lookedAtMs = Number.NEGATIVE_INFINITY
    seenDateMs = undefined
  }
  const look = () => {
    const dateMs = dateOf(folder)
    if (dateMs === seenDateMs && settled) return
    settled = Math.abs(clock.now() - (dateMs ?? 0)) > settledMs
    seenDateMs = dateMs
    const found = dateMs === undefined ? new Map<string, FoundFile>() : read(folder, files)
    for (const name of hidden) found.delete(name)
    if (!sameFiles(files, found)) files = found
  }

  return {
    current() {
      if (clock.monotonic() - lookedAtMs < lookEveryMs) return files
      lookedAtMs = clock.monotonic()
      try {
        look()
      } catch (error) {
        log.warn('models.folder_unreadable', { cause: describe(error) })
      }
      return files
    },
    async remove({ name, file }, first) {
      hidden.add(name)
      lookAgain()
      try {
        await first()
        await rm(file)
      } finally {
        hidden.delete(name)
        lookAgain()
      }
    },
  }
}

/** The models of a folder right now, for commands. @throws Error when it cannot be read */
export function modelsIn(folder: string): FoundFile[] {
  return dateOf(folder) === undefined ? [] : [...read(folder, new Map()).values()]
}

function dateOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.mtimeMs
}

function read(folder: string, known: ReadonlyMap<string, FoundFile>): Map<string, FoundFile> {
  const found = new Map<string, FoundFile>()
  const names = readdirSync(folder)
    .filter(entry => entry.endsWith(extension))
    .map(entry => entry.slice(0, -extension.length))
  for (const name of names.filter(isModelName).sort().slice(0, filesMax)) {
    const file = join(folder, name + extension)
    const stat = statSync(file, { throwIfNoEntry: false }) // follows links, which only the operator can make
    if (stat?.isFile() !== true) continue
    const version = `${stat.ino} ${stat.size} ${stat.mtimeMs}`
    const created = Math.floor(stat.mtimeMs / 1000)
    const before = known.get(name)
    found.set(name, before?.version === version ? before : { name, file, sizeBytes: stat.size, created, version })
  }
  return found
}

function sameFiles(one: ReadonlyMap<string, FoundFile>, other: ReadonlyMap<string, FoundFile>): boolean {
  return one.size === other.size && [...other].every(([name, file]) => one.get(name) === file)
}
