import { existsSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The address of a module beside this one, for workers and child processes: `.ts` when this runs from source, `.js` when it runs
 * from the published package. The compiler rewrites imports, but not texts.
 * @param from `import.meta.url` of the caller
 * @param path relative and without extension, e.g. `./writer`
 */
export function sibling(from: string, path: string): URL {
  return new URL(`${path}${from.endsWith('.ts') ? '.ts' : '.js'}`, from)
}

/** The folder of the nearest `package.json` above a module: where the built-in models lie. @throws Error when there is none */
export function packageRoot(from: string): string {
  for (let folder = dirname(fileURLToPath(from)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder))
      throw new Error('The package of Parlance is incomplete: its package.json is missing.')
  }
}

/**
 * Where this process keeps compiled code, if it does, in the form that a thread or child process takes it. The cache of a process
 * reaches neither: without it, each would strip the types of every file anew, which costs 20 MB and tenths of a second.
 */
export function compileCacheDir(): string | undefined {
  const dir = getCompileCacheDir()
  // Node puts a folder of its version under the one that it is given.
  return dir === undefined || !basename(dir).startsWith('v') ? dir : dirname(dir)
}
