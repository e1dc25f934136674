import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * A program with the command line of llama-server that holds no model. Its reply says `ok`; requests and the command line are written
 * to a file. What a message or prompt says makes it misbehave: see `fake-llama-server.worker.ts`.
 */
export interface FakeLlamaServer extends AsyncDisposable {
  readonly binary: string
  /** The requests so far. */
  requests(): Promise<Asked[]>
  /** The command lines and environments it was started with. */
  starts(): Promise<{ pid: number; args: string[]; environment: Record<string, string> }[]>
}

export interface Asked {
  readonly path: string
  readonly body: Record<string, unknown>
}

/** @param manner how it starts: `slow` never gets ready, `broken` ends with words of an error */
export async function fakeLlamaServer(manner: 'well' | 'slow' | 'broken' = 'well'): Promise<FakeLlamaServer> {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-fake-'))
  const binary = join(folder, 'llama-server')
  const record = join(folder, 'record.jsonl')
  const worker = fileURLToPath(new URL('./fake-llama-server.worker.ts', import.meta.url))
  await writeFile(record, '')
  await writeFile(binary, `#!/bin/sh\nexec '${process.execPath}' '${worker}' '${record}' ${manner} "$@"\n`)
  await chmod(binary, 0o755)
  const lines = async () => {
    const text = await readFile(record, 'utf8')
    return text
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line))
  }
  return {
    binary,
    requests: async () => (await lines()).filter(line => 'path' in line),
    starts: async () => (await lines()).filter(line => 'args' in line),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}
