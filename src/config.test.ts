import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ConfigError, readConfig } from './config.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const written = (yaml: string, env: Record<string, string> = {}) => {
  writeFileSync(join(folder, 'parlance.yaml'), yaml)
  return readConfig({ env, cwd: folder })
}

/** The whole message, with the folder's name left out. */
const complaint = (yaml: string, env: Record<string, string> = {}): string => {
  try {
    written(yaml, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.replaceAll(`${folder}/`, '')
  }
  return 'no complaint'
}

test('without a file and an environment every setting has its default', () => {
  const config = readConfig({ env: {}, cwd: folder })
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.port, 8787)
  assert.match(config.data_dir, /^\/.*\.local\/share\/parlance$/)
  assert.deepEqual(config.models, {})
  assert.equal(config.file, undefined)
})

test('the example of the documentation is read as it is written', () => {
  const config = written(
    `upstreams:
  vllm: { base_url: "http://10.0.0.5:8000/v1", api_key: "\${VLLM_KEY}" }
models:
  llama-3.1-8b: { file: "models/llama-3.1-8b.Q4_K_M.gguf", context: 8192 }
  gpt-4o: { upstream: vllm, name: "Qwen/Qwen3-32B", price: { input: 0.15, output: 0.60 } }   # USD per million tokens
aliases:
  gpt-4: gpt-4o
`,
    { VLLM_KEY: 'secret-of-vllm' },
  )
  assert.equal(config.upstreams.vllm?.api_key, 'secret-of-vllm')
  assert.deepEqual(config.models['llama-3.1-8b'], {
    file: join(folder, 'models/llama-3.1-8b.Q4_K_M.gguf'),
    context: 8192,
  })
  assert.deepEqual(config.aliases, { 'gpt-4': 'gpt-4o' })
})

test('file and adapter of a model count from the folder of the settings', () => {
  const config = written('models:\n  tuned: { file: base.gguf, adapter: lora/mine.gguf, scale: 0.5 }\n')
  const model = { file: join(folder, 'base.gguf'), adapter: join(folder, 'lora/mine.gguf'), scale: 0.5 }
  assert.deepEqual(config.models.tuned, model)
})

test('the command line wins over the environment, the environment over the file', () => {
  writeFileSync(join(folder, 'parlance.yaml'), 'port: 1111\nhost: 127.0.0.3')
  const env = { PARLANCE_PORT: '2222' }
  assert.equal(readConfig({ env: {}, cwd: folder }).port, 1111)
  assert.equal(readConfig({ env, cwd: folder }).port, 2222)
  const config = readConfig({ env, cwd: folder, overrides: { port: '3333' } })
  assert.equal(config.port, 3333)
  assert.equal(config.host, '127.0.0.3')
})

test('PARLANCE_CONFIG names another file, and a missing one is an error', () => {
  writeFileSync(join(folder, 'other.yaml'), 'port: 4444')
  assert.equal(readConfig({ env: { PARLANCE_CONFIG: 'other.yaml' }, cwd: folder }).port, 4444)
  assert.throws(() => readConfig({ env: { PARLANCE_CONFIG: 'none.yaml' }, cwd: folder }), /none\.yaml cannot be read/)
})

const complaints: [name: string, yaml: string, says: RegExp][] = [
  ['an unknown setting', 'port: 1\nprot: 2', /^parlance\.yaml:2: unknown setting `prot`\. Known here: host, port/],
  [
    'an unknown field',
    'models:\n  a:\n    file: x\n    contxt: 9',
    /^parlance\.yaml:4: unknown setting `models\.a\.contxt`/,
  ],
  ['a wrong type', 'host: a\nport: "8080"', /^parlance\.yaml:2: `port` must be integer/],
  ['a number out of range', 'port: 70000', /^parlance\.yaml:1: `port` must be <= 65535/],
  ['a model that is neither', 'models:\n  a: { context: 9 }', /^parlance\.yaml:2: `models\.a` needs either `file`/],
  ['a missing field', 'upstreams:\n  u:\n    api_key: x', /^parlance\.yaml:2: `upstreams\.u` needs `base_url`/],
  [
    'an upstream that is not there',
    'models:\n  a: { upstream: nope }',
    /^parlance\.yaml:2: `models\.a` names the upstream `nope`/,
  ],
  [
    'a scale without an adapter',
    'models:\n  a:\n    file: x\n    scale: 0.5',
    /^parlance\.yaml:4: `models\.a\.scale` says nothing without an `adapter`/,
  ],
  [
    'a variable that is not set',
    'upstreams:\n  u:\n    base_url: http://x\n    api_key: ${NOT_SET}',
    /^parlance\.yaml:4: the environment variable NOT_SET is not set/,
  ],
  ['broken YAML', 'port: 1\nhost: [a', /^parlance\.yaml:\d: /],
  ['a key written twice', 'port: 1\nport: 2', /^parlance\.yaml:2: Map keys must be unique/],
  ['a list instead of settings', '- a', /^parlance\.yaml:1: expected settings/],
  [
    'a negative price',
    'models:\n  a: { file: x, price: { input: -1 } }',
    /^parlance\.yaml:2: `models\.a\.price\.input` must be >= 0/,
  ],
]
for (const [name, yaml, says] of complaints)
  test(`${name} is reported with file and line`, () => assert.match(complaint(yaml), says))

test('a wrong environment variable is named, with what it means', () => {
  assert.throws(
    () => readConfig({ env: { PARLANCE_PORT: 'many' }, cwd: folder }),
    /PARLANCE_PORT: must be integer .*Port to listen on/,
  )
  assert.throws(() => readConfig({ env: { PARLANCE_BOOTSTRAP_KEY: 'a b' }, cwd: folder }), /PARLANCE_BOOTSTRAP_KEY/)
})

test('a setting with two names in the environment takes the first that is set', () => {
  const token = (env: Record<string, string>) => readConfig({ env, cwd: folder }).hub_token
  assert.equal(token({}), undefined)
  assert.equal(token({ HF_TOKEN: 'theirs' }), 'theirs')
  assert.equal(token({ PARLANCE_HUB_TOKEN: '', HF_TOKEN: 'theirs' }), 'theirs')
  assert.equal(token({ PARLANCE_HUB_TOKEN: 'ours', HF_TOKEN: 'theirs' }), 'ours')
})

test('an empty file is a file without settings', () => assert.equal(written('# nothing yet\n').port, 8787))
