import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

/** Layers from the bottom up; a file may import from its own layer's room and from all layers below. */
const layers = [
  ['lib'],
  ['wire', 'tokens', 'gguf'],
  ['store', 'engines', 'trainer'],
  ['platform'],
  ['operations'],
  ['jobs', 'http'],
  ['wiring.ts'],
  ['main.ts'],
  ['bin'],
]
/** What may be imported or written in a few places alone: a pattern, and where it is at home. */
const homes: [what: string, pattern: RegExp, home: RegExp][] = [
  ['config.ts', /from '[./]+\/config\.ts'/, /^(src\/(main|wiring)\.ts|bin\/)/],
  ['process.env', /\bprocess\.env\b/, /^(src\/config\.ts|bin\/)/],
  ['global fetch', /(?<![.\w#]|function )fetch\(/, /^$/],
  ['fastify', /from 'fastify'/, /^src\/http\//],
  ['node:sqlite', /'node:sqlite'/, /^src\/store\//],
]

/** @param files path → text. @returns a sentence for everything that stands where it must not */
function violations(files: ReadonlyMap<string, string>): string[] {
  const room = (path: string) => path.replace(/^src\//, '').split('/')[0]!
  const layerOf = (path: string) => layers.findIndex(rooms => rooms.includes(room(path)))
  return [...files].flatMap(([path, source]) => {
    const text = source.replaceAll(/^\s*(?:\/?\*|\/\/).*$/gm, '') // comments may speak of anything
    const imports = [...text.matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g)].map(match =>
      join(dirname(path), match[1]!),
    )
    const upward = imports.filter(target => {
      if (target === 'src/settings.ts') return path !== 'src/config.ts'
      if (target === 'src/config.ts' || layerOf(target) === -1 || layerOf(path) === -1) return false // `homes` judges config.ts
      if (room(target) !== room(path)) return layerOf(target) >= layerOf(path)
      const [from, to] = [path.split('/')[2], target.split('/')[2]] // src/operations/<resource>/…
      return (
        room(path) === 'operations' &&
        path.split('/').length > 3 &&
        target.split('/').length > 3 &&
        from !== to &&
        !target.endsWith('/rows.ts')
      )
    })
    const strays = homes.filter(
      ([, pattern, home]) => pattern.test(text) && !home.test(path) && !path.endsWith('.test.ts'),
    )
    return [...upward.map(target => `${path} imports ${target}`), ...strays.map(([what]) => `${path} uses ${what}`)]
  })
}

test('imports point one way, and what has one home stays there', async () => {
  const files = new Map<string, string>()
  for await (const path of glob('{src,bin}/**/*.ts')) files.set(path, await readFile(path, 'utf8'))
  assert.ok(files.size > 20, 'run from the root of the repository')
  assert.deepEqual(violations(files), [])
})

test('every kind of planted violation is found, and nothing else', () => {
  const good = new Map([
    [
      'src/platform/keys.ts',
      "import { fault } from '../lib/faults.ts'\nimport type { Store } from '../store/store.ts'\nthis.fetch(1); prefetch(2)",
    ],
    [
      'src/operations/runs/create.ts',
      "import { find } from '../threads/rows.ts'\nimport { generate } from '../generation.ts'",
    ],
    ['src/main.ts', "import type { Config } from './config.ts'\nimport { makeServer } from './http/server.ts'"],
    ['bin/commands/serve.ts', "import { readConfig } from '../../src/config.ts'\nconst home = process.env.HOME"],
  ])
  assert.deepEqual(violations(good), [])
  const bad: [path: string, text: string][] = [
    ['src/lib/ids.ts', "import type { Model } from '../wire/models.ts'"],
    ['src/store/store.ts', "export { keys } from '../platform/keys.ts'"],
    ['src/wire/chat.ts', "const load = () => import('../tokens/index.ts')"],
    ['src/jobs/worker.ts', "import { makeServer } from '../http/server.ts'"],
    ['src/operations/runs/create.ts', "import { createThread } from '../threads/create.ts'"],
    ['src/http/server.ts', "import { settings } from '../config.ts'"],
    ['src/http/server.ts', "import { settings } from '../settings.ts'"],
    ['src/store/store.ts', 'const dir = process.env.DATA'],
    ['src/engines/upstream/index.ts', 'await fetch(url)'],
    ['src/platform/execute.ts', "import Fastify from 'fastify'"],
    ['src/platform/usage.ts', "import { DatabaseSync } from 'node:sqlite'"],
  ]
  for (const [path, text] of bad) assert.equal(violations(new Map([[path, text]])).length, 1, `${path}: ${text}`)
})
